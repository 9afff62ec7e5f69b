"""How many cores this process may really use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
MOUNTS = "sys/fs/cgroup"


def usable_cores() -> int:
    """Cores of the process: its affinity, capped by the quotas of its cgroups (v1 and v2) and of
    those around them, as systemd's `CPUQuota=` and `docker run --cpus` set them. At least 1.

    More threads than these make inference several times slower, not faster.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    for top, own in _hierarchies():
        for place in (own, *own.parents):
            quota = _quota(place)
            cores = cores if quota is None else min(cores, quota)
            if place == top:
                break
    return max(1, cores)


def _quota(place: Path) -> int | None:
    """Whole cores that a cgroup allows; None where it sets no quota."""
    for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            words = [word for name in files for word in (place / name).read_text().split()]
            quota, period = map(int, words)
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if quota > 0 and period > 0:  # v1 writes -1 for no quota
            return quota // period
    return None


def _hierarchies() -> Iterator[tuple[Path, Path]]:
    """Each hierarchy that can limit the CPU: where it is mounted, and this process's cgroup in
    it."""
    mounts = _mounts()
    for line in _lines("proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            name, usual = "", ["", "unified"]
        elif "cpu" in controllers.split(","):
            name, usual = "cpu", [controllers, "cpu"]
        else:
            continue
        tops = mounts.get(name) or [(f"{MOUNTS}/{folder}", "/") for folder in usual]
        for folder, root in tops:
            top = ROOT / folder.lstrip("/")
            yield top, top / _below(path, root)


def _below(path: str, root: str) -> str:
    """A cgroup's path below a mount, whose top is the cgroup `root`: in a container it is not /."""
    try:
        below = PurePosixPath(path).relative_to(root)
    except ValueError:  # the mount shows another part of the tree
        below = PurePosixPath(path.lstrip("/"))
    return "" if ".." in below.parts else str(below)


def _mounts() -> dict[str, list[tuple[str, str]]]:
    """Mounted cgroup hierarchies, "" for v2 and "cpu" for v1: (mount point, cgroup at its top).

    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    mounts: dict[str, list[tuple[str, str]]] = {}
    for line in _lines("proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        if kinds[0] == "cgroup2":
            mounts.setdefault("", []).append((fields[4], fields[3]))
        elif kinds[0] == "cgroup" and "cpu" in kinds[2].split(","):
            mounts.setdefault("cpu", []).append((fields[4], fields[3]))
    return mounts


def _lines(file: str) -> list[str]:
    try:
        return (ROOT / file).read_text().splitlines()
    except OSError:
        return []
