"""Meters as they lie in a made-up /sys, and one that a made-up library reads."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.benchmarks.measuring import gpu_memory, power
from edge.benchmarks.reporting.report import Energy


@pytest.fixture
def sys_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(power, "ROOT", tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    return tmp_path


def rapl(root: Path, name: str, energy: int) -> Path:
    place = root / "sys/class/powercap" / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "energy_uj").write_text(f"{energy}\n")
    (place / "name").write_text("package-0\n")
    (place / "max_energy_range_uj").write_text("10000000\n")
    return place / "energy_uj"


def test_a_machine_without_meters_has_none(sys_folder: Path) -> None:
    assert power.meters() == {}


def test_rapl_counts_on_when_its_counter_starts_again(sys_folder: Path) -> None:
    file = rapl(sys_folder, "intel-rapl:0", 9_000_000)
    rapl(sys_folder, "intel-rapl:0:1", 5)  # a part of the processor, not counted twice
    meters = power.meters()
    assert list(meters) == ["RAPL package-0"]
    read = meters["RAPL package-0"]
    before = read()
    file.write_text("1000000\n")
    assert read() - before == pytest.approx(2.0)


def test_a_jetsons_rails_are_integrated_over_time(sys_folder: Path) -> None:
    place = sys_folder / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    place.mkdir(parents=True)
    (place / "in1_label").write_text("VDD_IN\n")
    (place / "in1_input").write_text("5000\n")
    (place / "curr1_input").write_text("2000\n")
    (place / "in2_label").write_text("NC\n")  # a channel with nothing on it
    meters = power.meters()
    assert list(meters) == ["INA3221 VDD_IN"]
    read = meters["INA3221 VDD_IN"]
    moments, counted = [time.monotonic()], []
    for _ in range(2):
        counted.append(read())
        moments.append(time.monotonic())
        time.sleep(0.1)
        moments.append(time.monotonic())
    # Each reading lies between two moments, however long the machine stood still.
    joules = counted[1] - counted[0]
    assert 10 * (moments[2] - moments[1]) <= joules <= 10 * (moments[3] - moments[0])
    (thread,) = (each for each in threading.enumerate() if "_integrate" in each.name)
    meters.clear()
    del read
    thread.join()


def test_a_gpu_counts_its_own_millijoules(
    sys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = iter([1_000, 5_000, 8_500])
    library = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetTotalEnergyConsumption=lambda device: next(counter),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    read = power.meters()["NVML GPU 0"]
    before = read()
    assert read() - before == pytest.approx(3.5)


def test_meters_add_up_but_a_boards_rail_counts_alone() -> None:
    one, two = Energy(2.0, 4.0), Energy(1.0, 3.0)
    assert power.total({}) is None
    assert power.total({"RAPL package-0": one, "NVML GPU 0": two}) == Energy(3.0, 7.0)
    assert power.total({"INA3221 VDD_IN": one, "INA3221 VDD_SOC": two}) == one


def test_gpu_memory_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [
        SimpleNamespace(pid=os.getpid(), usedGpuMemory=3 * 2**20),
        SimpleNamespace(pid=1, usedGpuMemory=2**30),
    ]
    library = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetComputeRunningProcesses=lambda device: running,
    )
    monkeypatch.setattr(gpu_memory, "_nvml", lambda: library)
    assert gpu_memory.gpu_memory_mb() == 3.0
    running.pop(0)
    assert gpu_memory.gpu_memory_mb() is None
    monkeypatch.setattr(gpu_memory, "_nvml", lambda: None)
    assert gpu_memory.gpu_memory_mb() is None


def test_the_real_library_has_the_names_that_are_called() -> None:
    pynvml = pytest.importorskip("pynvml")
    for name in ("nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"):
        assert callable(getattr(pynvml, name))
    assert callable(pynvml.nvmlDeviceGetTotalEnergyConsumption)
    assert callable(pynvml.nvmlDeviceGetComputeRunningProcesses)
    assert issubclass(pynvml.NVMLError, Exception)
