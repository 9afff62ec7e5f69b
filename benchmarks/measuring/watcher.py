"""What else the machine did while something was measured: other processes, clock, throttling."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROC, CPUS = Path("/proc"), Path("/sys/devices/system/cpu")
THERMAL = Path("/sys/class/thermal")
DISTURBED = 0.05
"""Share of the machine that others may take before a figure is called disturbed."""


@dataclass(frozen=True)
class _Look:
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
    """The cores' clocks now; empty where they cannot be read."""
    try:
        text = (PROC / "cpuinfo").read_text()
    except OSError:
        return []
    return [float(value) for value in re.findall(r"cpu MHz\s*:\s*([\d.]+)", text)]


def celsius() -> float | None:
    """The hottest of the machine's sensors now; None where none can be read."""
    found = []
    for file in THERMAL.glob("thermal_zone*/temp"):
        try:
            found.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a zone that is switched off
    return max(found, default=None)


class Watcher:
    """Compares the machine before and after; pids are the processes whose work is ours."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = [os.getpid(), *pids]
        self._clocks = megahertz()
        self._celsius = celsius()
        self._before = self._look()

    def _look(self) -> _Look | None:
        try:
            return _Look(*_cores(), sum(map(_of, self._pids)), _throttled())
        except OSError:  # not Linux
            return None

    def found(self) -> dict[str, Any]:
        """others_share: of all cores' time, what other processes took; mhz: [least, most] at both
        ends; celsius: the hottest sensor, [before, after]; throttled: how often cores were slowed
        for heat. None is not known, never zero."""
        after, before = self._look(), self._before
        clocks = self._clocks + megahertz()
        report: dict[str, Any] = {
            "others_share": None,
            "mhz": [min(clocks), max(clocks)] if clocks else None,
            "celsius": None,
            "throttled": None,
        }
        if self._celsius is not None and (now := celsius()) is not None:
            report["celsius"] = [self._celsius, now]
        if before is not None and after is not None and after.total > before.total:
            others = (after.busy - before.busy) - (after.ours - before.ours)
            report["others_share"] = round(max(0, others) / (after.total - before.total), 4)
            if after.throttled is not None and before.throttled is not None:
                report["throttled"] = after.throttled - before.throttled
        report["disturbed"] = disturbance(report)
        return report


def disturbance(report: dict[str, Any]) -> str:
    """Why the figures should not be trusted; empty where they may be."""
    if (share := report["others_share"]) is not None and share > DISTURBED:
        return f"other processes took {100 * share:.0f} % of the machine"
    if report["throttled"]:
        return f"cores were slowed for heat {report['throttled']} times"
    return ""
