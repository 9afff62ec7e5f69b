"""The array libraries: found where they see the GPU, and every name that is called is theirs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from edge.benchmarks.gpu_check import arrays
from edge.benchmarks.gpu_check.__main__ import Extent, check_gpu
from edge.benchmarks.measuring.bench import Settings

from .simulated import HostArrays


def called(library: str) -> set[str]:
    """The dotted names that the class of a library takes from `self.xp`."""
    tree = ast.parse(Path(arrays.__file__).read_text())
    (kind,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == library)
    names = {ast.unparse(n) for n in ast.walk(kind) if isinstance(n, ast.Attribute)}
    return {match[1] for name in names if (match := re.fullmatch(r"self\.xp\.([\w.]+)", name))}


@pytest.mark.parametrize(("library", "name"), [("Torch", "torch"), ("CuPy", "cupy")])
def test_the_library_has_every_name(library: str, name: str) -> None:
    module = pytest.importorskip(name)
    assert len(called(library)) > 4
    for dotted in [*called(library), "maximum", "abs", "exp", "concatenate", "flip"]:
        place = module
        for part in dotted.split("."):
            assert hasattr(place, part), dotted
            place = getattr(place, part)


def test_without_a_gpu_no_library_is_found_and_each_says_why(no_gpu: None) -> None:
    found, reasons = arrays.find_arrays()
    assert found == []
    assert len(reasons.split("; ")) >= len(arrays.LIBRARIES)
    assert all(name in reasons for name in arrays.LIBRARIES) and "\n" not in reasons


def test_one_that_works_is_found_beside_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> arrays.Arrays:
        raise RuntimeError("no device\nat all")

    monkeypatch.setattr(
        arrays, "LIBRARIES", {"numpy": HostArrays, "onnx": broken, "no_such": HostArrays}
    )
    found, reasons = arrays.find_arrays()
    assert [each.name for each in found] == ["numpy"]
    assert reasons == "onnx cannot use the GPU: no device; no_such is not installed"


def test_memory_of_others_is_described_as_torch_takes_it() -> None:
    taken = arrays._Memory(0x7F00, (1, 2, 3), "uint8").__cuda_array_interface__
    assert taken["data"] == (0x7F00, False) and taken["shape"] == (1, 2, 3)
    assert taken["typestr"] == np.dtype("uint8").str


@pytest.mark.gpu
def test_this_gpu_passes(tmp_path: Path) -> None:
    quick = Settings(samples="rendered:4", count=4, duration=0.2, threads=1)
    assert check_gpu(Extent(network="nano", frames=1000, bench=quick), tmp_path / "out.json") == 0
