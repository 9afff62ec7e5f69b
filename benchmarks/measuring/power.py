"""Energy that a machine says it has used: RAPL on x86, INA3221 on Jetson, NVML on desktop GPUs.

A meter is there or it is not; one that is not has no entry, never a zero.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path("/")
"""Where /sys is; tests have their own."""
Meter = Callable[[], float]
"""Joules since some moment, ever growing."""
EVERY_S = 0.02
"""Between two looks at a sensor that tells watts and not joules."""


def meters() -> dict[str, Meter]:
    """The meters of this machine that may be read, by name."""
    return {**_rapl(), **_ina3221(), **_nvml()}


def _rapl() -> dict[str, Meter]:
    """Whole processors (Linux's powercap interface): microjoules that wrap round."""
    found: dict[str, Meter] = {}
    for place in sorted((ROOT / "sys/class/powercap").glob("intel-rapl:[0-9]*")):
        if place.name.count(":") > 1:
            continue  # a part of a processor
        try:
            (place / "energy_uj").read_text()
            name = (place / "name").read_text().strip()
            wraps = int((place / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            continue  # most systems let only root read it
        found[f"RAPL {name}"] = Wrapping(place / "energy_uj", wraps)
    return found


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
    found: dict[str, Meter] = {}
    for label in sorted((ROOT / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in?_label")):
        number = label.name[2]
        volts, amperes = (label.with_name(f"{kind}{number}_input") for kind in ("in", "curr"))
        try:
            name = label.read_text().strip()
            int(volts.read_text()), int(amperes.read_text())
        except (OSError, ValueError):
            continue  # a channel with nothing on it
        found[f"INA3221 {name}"] = Integrated(volts, amperes)
    return found


class Integrated:
    """Joules from a sensor of volts and amperes, read again and again beside the work."""

    def __init__(self, millivolts: Path, milliamperes: Path) -> None:
        self._files = millivolts, milliamperes
        self._joules, self._at = 0.0, time.monotonic()
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def _look(self) -> None:
        volts, amperes = (int(file.read_text()) / 1e3 for file in self._files)
        now = time.monotonic()
        self._joules += volts * amperes * (now - self._at)
        self._at = now

    def _watch(self) -> None:
        while True:
            time.sleep(EVERY_S)
            with self._lock:
                self._look()

    def __call__(self) -> float:
        with self._lock:
            self._look()
            return self._joules


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
    found: dict[str, Meter] = {}
    for number in range(count):
        device = pynvml.nvmlDeviceGetHandleByIndex(number)
        try:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(device)
        except pynvml.NVMLError:
            continue
        found[f"NVML GPU {number}"] = _counted(pynvml, device)
    return found


def _counted(pynvml: Any, device: object) -> Meter:
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(device)) / 1e3
