"""Other work on the machine during a measurement: processes, clock, temperature, throttling."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.benchmarks.reporting.report import MachineWatch

PROC, CPUS = Path("/proc"), Path("/sys/devices/system/cpu")
THERMAL = Path("/sys/class/thermal")
DISTURBED = 0.05
"""Share of the machine that others may take before a figure is called disturbed."""


@dataclass(frozen=True)
class _Reading:
    """Ticks since the machine started: busy and all of its cores, and those of our processes."""

    busy: int
    total: int
    ours: int
    throttled: int | None


def _cores() -> tuple[int, int]:
    fields = [int(f) for f in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    # A guest's stolen time (the last) is others' work as well.
    return sum(fields) - idle, sum(fields)


def _of(pid: int) -> int:
    try:
        # The name, in brackets, may hold spaces.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _throttled() -> int | None:
    counts = list(CPUS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    try:
        return sum(int(file.read_text()) for file in counts) if counts else None
    except OSError:
        return None


def megahertz() -> list[float]:
    """The current clocks of the cores; empty where they are unreadable."""
    try:
        text = (PROC / "cpuinfo").read_text()
    except OSError:
        return []
    return [float(value) for value in re.findall(r"cpu MHz\s*:\s*([\d.]+)", text)]


def celsius() -> float | None:
    """The temperature of the hottest sensor; None where none is readable."""
    temperatures = []
    for file in THERMAL.glob("thermal_zone*/temp"):
        try:
            temperatures.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a zone that is switched off
    return max(temperatures, default=None)


class Watcher:
    """Compares the machine before and after. pids: the processes whose work is ours."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = [os.getpid(), *pids]
        self._clocks = megahertz()
        self._celsius = celsius()
        self._before = self._read()

    def _read(self) -> _Reading | None:
        try:
            return _Reading(*_cores(), sum(map(_of, self._pids)), _throttled())
        except OSError:  # not Linux
            return None

    def result(self) -> MachineWatch:
        """Compare the machine now with how it was; None is unknown, never zero."""
        after, before = self._read(), self._before
        clocks = self._clocks + megahertz()
        temperature = celsius()
        others_share = throttled = None
        if before is not None and after is not None and after.total > before.total:
            others = (after.busy - before.busy) - (after.ours - before.ours)
            others_share = round(max(0, others) / (after.total - before.total), 4)
            if after.throttled is not None and before.throttled is not None:
                throttled = after.throttled - before.throttled
        return MachineWatch(
            others_share=others_share,
            mhz=(min(clocks), max(clocks)) if clocks else None,
            celsius=None
            if self._celsius is None or temperature is None
            else (self._celsius, temperature),
            throttled=throttled,
            disturbed=disturbance(others_share, throttled),
        )


def disturbance(others_share: float | None, throttled: int | None) -> str:
    """Why figures should not be trusted; empty where they may be."""
    if others_share is not None and others_share > DISTURBED:
        return f"other processes took {100 * others_share:.0f} % of the machine"
    if throttled:
        return f"heat slowed the cores {throttled} times"
    return ""
