"""The checks of TensorRT on a simulated TensorRT: they pass, and fail where it is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.benchmarks.gpu_check.check import FAILED, OK, SKIPPED, Result, run
from edge.benchmarks.gpu_check.plans import PRECISIONS, PlanBench, check_bench, check_plan
from edge.benchmarks.gpu_check.scenes import rendered_samples
from edge.benchmarks.measuring.bench import Settings
from edge.targets.target import Target

from .simulated import cuda_runtime, tensorrt

cuda_python = pytest.importorskip("edge.runtime.cuda_python", reason="no cuda-bindings")


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> Any:
    runtime = cuda_runtime()
    module = tensorrt(runtime, monkeypatch)
    monkeypatch.setattr(cuda_python, "runtime", runtime)
    monkeypatch.setattr("edge.targets.plans.load", lambda name: module)
    monkeypatch.setattr("edge.runtime.backends.tensorrt.load", lambda name: module)
    monkeypatch.setattr(Target, "installed", lambda target: True)
    return module


@pytest.fixture
def check(trt: Any, tmp_path: Path) -> Callable[[str], Result]:
    size = (32, 32)
    given = PlanBench("nano", size, rendered_samples(8, size), Settings(), 87, tmp_path)
    return lambda precision: run(precision, lambda: check_plan(given, "tensorrt", precision))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_precision_passes(precision: str, check: Callable[[str], Result]) -> None:
    result = check(precision)
    assert result.status == OK, result.text
    # A value of float16 may be rounded the other way: one step below 1 is 4.9e-4.
    assert result.values["largest_difference"] < (1e-3 if precision == "fp16" else 1e-6)
    assert result.values["int8_layers"] == (13 if precision == "int8" else 0)
    assert "of 13 layers in int8" in result.text


def shifted_output(trt: Any, patch: pytest.MonkeyPatch) -> None:
    real = trt.Context._compute

    def compute(self: Any) -> None:
        real(self)
        for value in self._engine.outputs:
            if value.name in ("mask", "depth"):
                plane = self._tensor(value)
                plane[...] = np.roll(plane, 3, axis=-1)

    patch.setattr(trt.Context, "_compute", compute)


def slots_differ(trt: Any, patch: pytest.MonkeyPatch) -> None:
    """Work that is under way with another frame's gives another result."""
    real = trt.Context._compute
    count = [0]

    def compute(self: Any) -> None:
        real(self)
        count[0] += 1
        if count[0] in (14, 15):
            for value in self._engine.outputs:
                self._tensor(value)[...] += 0.1

    patch.setattr(trt.Context, "_compute", compute)


def nothing_in_int8(trt: Any, patch: pytest.MonkeyPatch) -> None:
    real = trt.Inspector.get_engine_information
    patch.setattr(
        trt.Inspector,
        "get_engine_information",
        lambda self, format: real(self, format).replace("Int8", "Half"),
    )


def no_engine(trt: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trt.Runtime, "deserialize_cuda_engine", lambda self, plan: None)


def no_context(trt: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trt.Engine, "create_execution_context", lambda self: None)


def no_plan(trt: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trt.Builder, "build_serialized_network", lambda self, network, config: None)


def broken_kernel(trt: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trt.Context, "execute_async_v3", lambda self, stream: False)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (shifted_output, "differs from the CPU by"),
        (slots_differ, "two frames under way differ from one by"),
        (nothing_in_int8, "no layer of the int8 engine is in int8"),
        (no_engine, "BuildMismatch: tensorrt 10.3.0 cannot load"),
        (no_context, "OutOfMemory: the GPU has no room for"),
        (no_plan, "EdgeError: tensorrt 10.3.0 cannot build frame.onnx"),
        (broken_kernel, "EdgeError: TensorRT cannot run"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_fails_where_that_is_broken(
    fault: Callable[[Any, pytest.MonkeyPatch], None],
    words: str,
    trt: Any,
    check: Callable[[str], Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(trt, monkeypatch)
    result = check("int8")
    assert result.status == FAILED
    assert words in result.text and "\n" not in result.text


def test_what_was_not_built_is_not_timed(tmp_path: Path) -> None:
    given = PlanBench("nano", None, (), Settings(), 87, tmp_path)
    assert run("bench", lambda: check_bench(given, "tensorrt", ())).status == SKIPPED


def test_results_are_json(check: Callable[[str], Result]) -> None:
    json.dumps(check("fp32").values)
