"""The builder of plans with a TensorRT that fails: its words, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from edge.builder.plan import Plan
from edge.errors import EdgeError
from edge.targets import plans
from edge.targets.gpu import capability
from edge.targets.timings import timings_file


class Config(SimpleNamespace):
    def create_timing_cache(self, data: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: b"times")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self.cache

    def set_memory_pool_limit(self, pool: int, size: int) -> None:
        pass


def module(log: list[Any], plan: bytes | None, words: str = "") -> Any:
    """A TensorRT whose builder says `words` and gives `plan`."""

    class ILogger:
        ERROR, INTERNAL_ERROR, WARNING = 1, 0, 2

    def build(network: Any, config: Any) -> bytes | None:
        if words:
            log[0].log(ILogger.ERROR, words)
        return plan

    def builder(given: Any) -> Any:
        log.append(given)
        return SimpleNamespace(
            create_network=lambda flags: SimpleNamespace(),
            create_builder_config=Config,
            build_serialized_network=build,
        )

    return SimpleNamespace(
        __name__=f"tensorrt{id(log)}",
        __version__="10.3.0",
        ILogger=ILogger,
        Builder=builder,
        OnnxParser=lambda network, given: SimpleNamespace(parse_from_file=lambda file: True),
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        MemoryPoolType=SimpleNamespace(WORKSPACE=0),
        ProfilingVerbosity=SimpleNamespace(DETAILED=2),
    )


@pytest.fixture
def graph(plan: Callable[..., Plan], tmp_path: Path) -> Path:
    onnx.save(plan("tensorrt", "fp32").frame, tmp_path / "frame.onnx")
    return tmp_path / "frame.onnx"


def test_a_full_gpu_has_its_hint_and_keeps_no_times(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Requested amount of GPU memory (4194304 bytes) could not be allocated"
    trt = module([], None, words)
    monkeypatch.setattr(plans, "load", lambda name: trt)
    file = timings_file(tmp_path / "build", trt)
    with pytest.raises(EdgeError, match=r"cannot build frame\.onnx: Requested .* end other") as e:
        plans.build_plan(graph, "tensorrt", (), file)
    assert "\n" not in str(e.value) and not file.exists()


@pytest.mark.parametrize("words", ["Error Code 10: no implementation for node", ""])
def test_another_failure_has_tensorrts_words_alone(
    words: str, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = module([], None, words)
    monkeypatch.setattr(plans, "load", lambda name: trt)
    with pytest.raises(EdgeError) as caught:
        plans.build_plan(graph, "tensorrt")
    assert caught.value.message.endswith(words or "it gave no reason") and not caught.value.hint


def test_times_are_kept_by_a_build_that_succeeds(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = module([], b"plan")
    monkeypatch.setattr(plans, "load", lambda name: trt)
    file = timings_file(tmp_path / "build", trt)
    assert plans.build_plan(graph, "tensorrt", (), file) == b"plan"
    assert file.read_bytes().endswith(b"\ntimes")
    assert plans.build_plan(graph, "tensorrt") == b"plan"


def test_the_generation_of_the_gpu_is_known_where_there_is_one(
    no_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert capability() == ()
    monkeypatch.setattr("edge.runtime.cuda.driver", lambda: SimpleNamespace(capability=87))
    assert capability() == (87,)
