from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.benchmarks.measuring import watcher
from edge.benchmarks.measuring.watcher import Watcher, disturbance


def machine(folder: Path, busy: int, idle: int, ours: int, throttled: int | None) -> None:
    """A /proc and /sys with one process, number 7, and one core."""
    (folder / "proc" / "7").mkdir(parents=True, exist_ok=True)
    (folder / "proc" / "stat").write_text(f"cpu {busy} 0 0 {idle} 0 0 0 0 0 0\n")
    fields = " ".join(["S", *["0"] * 10, str(ours), "0", *["0"] * 10])
    (folder / "proc" / "7" / "stat").write_text(f"7 (a (b) c) {fields}\n")
    (folder / "proc" / "cpuinfo").write_text("cpu MHz : 2000.5\ncpu MHz : 3000\n")
    zone = folder / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "temp").write_text(f"{40_000 + busy}\n")
    if throttled is not None:
        place = folder / "cpu" / "cpu0" / "thermal_throttle"
        place.mkdir(parents=True, exist_ok=True)
        (place / "core_throttle_count").write_text(f"{throttled}\n")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watcher, "PROC", tmp_path / "proc")
    monkeypatch.setattr(watcher, "CPUS", tmp_path / "cpu")
    monkeypatch.setattr(watcher, "THERMAL", tmp_path / "thermal")
    monkeypatch.setattr(watcher.os, "getpid", lambda: 1)
    return tmp_path


def test_what_others_took_is_told(fake: Path) -> None:
    machine(fake, 1000, 1000, 500, 3)
    watched = Watcher([7])
    machine(fake, 1100, 1100, 570, 3)
    watch = watched.result()
    assert watch.others_share == pytest.approx(0.15)  # 30 of 200 ticks
    assert watch.mhz == (2000.5, 3000)
    assert watch.celsius == (41.0, 41.1)
    assert watch.throttled == 0
    assert watch.disturbed == "other processes took 15 % of the machine"


def test_heat_is_told_and_a_quiet_machine_is_not(fake: Path) -> None:
    machine(fake, 1000, 1000, 500, 3)
    watched = Watcher([7])
    machine(fake, 1100, 1100, 599, 5)
    assert watched.result().disturbed == "heat slowed the cores 2 times"
    machine(fake, 1100, 1100, 599, 3)
    assert watched.result().disturbed == ""


def test_what_cannot_be_read_is_unknown_and_never_zero(fake: Path) -> None:
    machine(fake, 1000, 1000, 500, None)
    watched = Watcher([7])
    machine(fake, 1100, 1100, 600, None)
    assert watched.result().throttled is None
    (fake / "thermal" / "thermal_zone0" / "temp").unlink()
    assert watched.result().celsius is None
    (fake / "proc" / "stat").unlink()
    assert Watcher([7]).result().others_share is None
    assert disturbance(None, None) == ""


def test_a_real_process_beside_us_is_seen() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        watched = Watcher([])
        time.sleep(1.0)
        watch = watched.result()
    finally:
        busy.kill()
        busy.wait()
    assert watch.others_share > 0.2 / (os.cpu_count() or 1)  # it may take one core
