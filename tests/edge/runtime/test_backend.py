"""What a backend asks of the runtime and the CPU before it opens a build."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.errors import BuildMismatch, EdgeError
from edge.runtime import backend as module
from edge.runtime import backends, instructions
from edge.runtime.backend import OpenOptions, check_instructions, check_not_older, version
from edge.runtime.backends.openvino import core

FOLDER = Path("a")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2026.4.1", (2026, 4)), ("1.22.0+cpu", (1, 22)), ("1.9", (1, 9)), ("1.rc1", (1,)), ("", ())],
)
def test_versions_are_major_and_minor(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers


@pytest.mark.parametrize(
    ("built", "installed", "fits"),
    [("1.22.0", "1.22.0", True), ("1.22.3", "1.22.0+cpu", True), ("1.9.0", "1.22.0", True),
     ("1.22.0", "1.9.0", False), ("2.0.0+gpu", "1.22.0+cpu", False)],
)  # fmt: skip
def test_a_runtime_older_than_that_of_the_build_is_refused(
    built: str, installed: str, fits: bool
) -> None:
    manifest: Any = SimpleNamespace(runtime=("onnxruntime", built), command="edge build")
    if fits:
        check_not_older(FOLDER, manifest, installed)
        return
    with pytest.raises(BuildMismatch, match="found the older"):
        check_not_older(FOLDER, manifest, installed)


@pytest.mark.parametrize(
    ("machine", "words", "saturates"),
    [
        ("x86_64", "flags\t: sse avx2\n", True),
        ("AMD64", "flags\t: sse avx512_vnni\n", False),
        ("x86_64", "flags\t: avx_vnni\n", False),
        ("x86_64", "", True),
        ("aarch64", "Features\t: fp asimd\n", False),
    ],
)
def test_an_x86_cpu_without_dot_products_saturates(
    machine: str, words: str, saturates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(words + "model name\t: avx512_vnni\n")
    flags = instructions.flags(tmp_path)
    monkeypatch.setattr(instructions, "flags", lambda: flags)
    monkeypatch.setattr(instructions.platform, "machine", lambda: machine)
    assert instructions.saturates() == saturates


def test_int8_of_an_earlier_version_is_refused_where_it_saturates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check(precision: str, instructions: str, saturates: bool) -> None:
        monkeypatch.setattr(module, "saturates", lambda: saturates)
        manifest: Any = SimpleNamespace(
            precision=precision, instructions=instructions, command="edge build"
        )
        check_instructions(FOLDER, manifest)

    for fine in (("int8", "any", True), ("fp32", "", True), ("int8", "", False)):
        check(*fine)
    with pytest.raises(BuildMismatch, match="is int8 of an earlier version"):
        check("int8", "", True)


def test_a_backend_whose_runtime_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name="openvino.runtime")

    monkeypatch.setattr(importlib, "import_module", absent)
    manifest: Any = SimpleNamespace(backend="openvino", command="edge build")
    with pytest.raises(EdgeError, match="`openvino`"):
        backends.open_backend(FOLDER, manifest, OpenOptions(1))


def test_openvino_has_one_core_and_its_reporter_is_shut_out_of_it_alone() -> None:
    assert core() is core()
    assert sys.modules.get("openvino_telemetry", "not imported") is not None
