"""Energy meters of the machine: RAPL on x86, INA3221 on Jetson, NVML on desktop GPUs.

A meter that is absent or unreadable has no entry, never a zero.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.benchmarks.reporting.report import Energy

ROOT = Path("/")
"""Parent of /sys; tests have their own."""
Meter = Callable[[], float]
"""Returns joules since some moment, monotonic."""
EVERY_S = 0.02
"""Between two readings of a sensor of power."""
WHOLE_BOARD = ("INA3221 VDD_IN", "INA3221 POM_5V_IN")
"""Rails of a Jetson that feed all its other rails."""


def meters() -> dict[str, Meter]:
    """Return the readable meters of this machine by name."""
    return {**_rapl(), **_ina3221(), **_nvml()}


def total(counted: dict[str, Energy]) -> Energy | None:
    """All meters together; None where there is none. A rail that feeds the others counts alone."""
    if not counted:
        return None
    whole = [energy for name, energy in counted.items() if name in WHOLE_BOARD]
    parts = whole or list(counted.values())
    return Energy(
        mj_a_frame=round(sum(part.mj_a_frame for part in parts), 4),
        watts=round(sum(part.watts for part in parts), 3),
    )


def _rapl() -> dict[str, Meter]:
    """Whole processors (Linux's powercap interface): microjoules that wrap around."""
    meters: dict[str, Meter] = {}
    for place in sorted((ROOT / "sys/class/powercap").glob("intel-rapl:[0-9]*")):
        if place.name.count(":") > 1:
            continue  # a part of a processor
        try:
            (place / "energy_uj").read_text()
            name = (place / "name").read_text().strip()
            wraps = int((place / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            continue  # most systems let only root read it
        meters[f"RAPL {name}"] = Wrapping(place / "energy_uj", wraps)
    return meters


class Wrapping:
    """Joules from a counter of microjoules that starts again at 0 after `wraps`."""

    def __init__(self, file: Path, wraps: int) -> None:
        self._file, self._wraps = file, wraps
        self._last, self._rounds = 0, 0

    def __call__(self) -> float:
        now = int(self._file.read_text())
        if now < self._last:
            self._rounds += 1
        self._last = now
        return (self._rounds * self._wraps + now) / 1e6


def _ina3221() -> dict[str, Meter]:
    """The rails of a Jetson (hwmon: millivolts and milliamperes)."""
    meters: dict[str, Meter] = {}
    for label in sorted((ROOT / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in?_label")):
        number = label.name[2]
        volts, amperes = (label.with_name(f"{kind}{number}_input") for kind in ("in", "curr"))
        try:
            name = label.read_text().strip()
            int(volts.read_text()), int(amperes.read_text())
        except (OSError, ValueError):
            continue  # a channel with nothing on it
        meters[f"INA3221 {name}"] = Integrated(volts, amperes)
    return meters


class Integrated:
    """Joules integrated from a sensor of volts and amperes, in a thread that ends with it."""

    def __init__(self, millivolts: Path, milliamperes: Path) -> None:
        self._files = millivolts, milliamperes
        self._joules, self._at = 0.0, time.monotonic()
        self._lock = threading.Lock()
        threading.Thread(target=_integrate, args=(weakref.ref(self),), daemon=True).start()

    def _read(self) -> None:
        volts, amperes = (int(file.read_text()) / 1e3 for file in self._files)
        now = time.monotonic()
        self._joules += volts * amperes * (now - self._at)
        self._at = now

    def __call__(self) -> float:
        with self._lock:
            self._read()
            return self._joules


def _integrate(meter: weakref.ref[Integrated]) -> None:
    while (present := meter()) is not None:
        present()
        del present
        time.sleep(EVERY_S)


def _nvml() -> dict[str, Meter]:
    """GPUs from Volta on count millijoules themselves (NVML)."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return {}
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return {}
    meters: dict[str, Meter] = {}
    for number in range(count):
        device = pynvml.nvmlDeviceGetHandleByIndex(number)
        try:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(device)
        except pynvml.NVMLError:
            continue
        meters[f"NVML GPU {number}"] = _counted(pynvml, device)
    return meters


def _counted(pynvml: Any, device: object) -> Meter:
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(device)) / 1e3
