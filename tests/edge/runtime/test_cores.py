"""Quotas of cgroup v1 and v2, on a machine of 8 cores that each test writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.runtime import cores

V1_MOUNT = "33 31 0:30 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
V2_MOUNT = "41 31 0:38 {root} {place} rw - cgroup2 cgroup2 rw\n"


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, file: str, text: str) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(text)

    def v1(self, folder: str, quota: int, period: int = 100_000) -> None:
        self.write(f"{folder}/cpu.cfs_quota_us", f"{quota}\n")
        self.write(f"{folder}/cpu.cfs_period_us", f"{period}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(cores, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    return Machine(tmp_path)


def test_without_cgroups_the_affinity_counts(machine: Machine) -> None:
    assert cores.usable_cores() == 8


@pytest.mark.parametrize("own", ["/", "/system.slice/edge.service"])
def test_v2_quotas_of_the_cgroup_and_of_those_around_it(own: str, machine: Machine) -> None:
    machine.write("proc/self/cgroup", f"3:cpuset:/x\n0::{own}\n")
    for text, expected in (
        ("max 100000", 8), ("300000 100000", 3), ("150000 100000", 1), ("50000 100000", 1), ("", 8),
        ("100000 0", 8),
    ):  # fmt: skip
        machine.write(f"sys/fs/cgroup{own}/cpu.max", text)
        assert cores.usable_cores() == expected
    machine.write(f"sys/fs/cgroup{own}/cpu.max", "600000 100000")
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000")
    assert cores.usable_cores() == 2


@pytest.mark.parametrize("controllers", ["cpu,cpuacct", "cpuacct,cpu", "cpu"])
def test_v1_quotas_of_the_cgroup_and_of_those_around_it(controllers: str, machine: Machine) -> None:
    machine.write("proc/self/cgroup", f"12:{controllers}:/docker/abc\n1:name=systemd:/docker/abc\n")
    top = f"sys/fs/cgroup/{controllers}"
    for quota, period, expected in (
        (-1, 100_000, 8), (100_000, 100_000, 1), (250_000, 100_000, 2), (150_000, 50_000, 3),
        (10_000, 100_000, 1), (0, 100_000, 8), (100_000, 0, 8),
    ):  # fmt: skip
        machine.v1(f"{top}/docker/abc", quota, period)
        assert cores.usable_cores() == expected
    machine.v1(f"{top}/docker/abc", -1)
    machine.v1(f"{top}/docker", 400_000)
    assert cores.usable_cores() == 4


@pytest.mark.parametrize("controllers", ["cpuset", "cpuacct", "name=cpu"])
def test_other_v1_controllers_do_not_limit(controllers: str, machine: Machine) -> None:
    machine.write("proc/self/cgroup", f"12:{controllers}:/docker/abc\n")
    machine.v1(f"sys/fs/cgroup/{controllers}/docker/abc", 100_000)
    assert cores.usable_cores() == 8


@pytest.mark.parametrize(
    ("root", "own", "folder"),
    [
        ("/", "/docker/abc", "docker/abc"),
        ("/docker/abc", "/docker/abc", ""),  # as a container sees itself
        ("/docker/abc", "/docker/abc/worker", "worker"),
        ("/docker/other", "/docker/abc", ""),
        ("/", "/../..", ""),  # the process lies outside its cgroup namespace
    ],
)
def test_a_v1_cgroup_is_found_below_its_mount(
    root: str, own: str, folder: str, machine: Machine
) -> None:
    machine.write("proc/self/cgroup", f"12:cpu,cpuacct:{own}\n")
    machine.write("proc/self/mountinfo", "31 23 0:28 / / rw\n" + V1_MOUNT.format(root=root))
    machine.v1(f"sys/fs/cgroup/cpu,cpuacct/{folder}", 300_000)
    assert cores.usable_cores() == 3


def test_both_versions_count_where_both_are_mounted(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "12:cpu,cpuacct:/a\n0::/b\n")
    v2 = V2_MOUNT.format(root="/", place="/sys/fs/cgroup/unified")
    machine.write("proc/self/mountinfo", V1_MOUNT.format(root="/") + v2)
    machine.v1("sys/fs/cgroup/cpu,cpuacct/a", 500_000)
    assert cores.usable_cores() == 5
    machine.write("sys/fs/cgroup/unified/b/cpu.max", "200000 100000")
    assert cores.usable_cores() == 2


@pytest.mark.parametrize(("count", "expected"), [(None, 1), (4, 4)])
def test_a_system_without_affinity_is_asked_for_its_cores(
    count: int | None, expected: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cores.usable_cores() == expected
