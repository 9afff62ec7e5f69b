"""How many cores this process may really use."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/")


def usable_cores() -> int:
    """Cores of the process: its affinity, capped by the quotas of its cgroup (v2) and of those
    around it, as systemd's `CPUQuota=` and containers set them. At least 1.

    More threads than these make inference several times slower, not faster.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    top = ROOT / "sys/fs/cgroup"
    own = top / _cgroup().lstrip("/")
    for place in (own, *own.parents):
        try:
            quota, period = (place / "cpu.max").read_text().split()
            cores = min(cores, int(quota) // int(period))
        except (OSError, ValueError):  # no cgroup, or "max": no quota
            pass
        if place == top:
            break
    return max(1, cores)


def _cgroup() -> str:
    """The path of this process's cgroup (v2) below the mount, as seen from here."""
    try:
        lines = (ROOT / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")
