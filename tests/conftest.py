"""What most tests need: a small true network, samples, and builds made of them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edge.calibrate.rendering.camera  # (synthetic://)
import edge.runtime.ort  # noqa: F401 (tests import ONNX Runtime, without its reporter)
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.bundled import DEFAULT, bundled
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.rendering.samples import Rendered
from edge.graph.resize import resize_network
from edge.samples.sample import Sample, resize_sample

SIDE = 64
DATA = Path(__file__).parents[2] / "shared"
"""Real pictures, where this checkout has them beside it; never part of the repository."""


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (DATA / "data" / "sequences").is_dir():
        pytest.skip("no real data beside this checkout")
    return DATA


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """Eight rendered samples of two scenes, SIDE x SIDE."""
    rendered = Rendered(8, (SIDE, SIDE), seed=5, frames_per_scene=4)
    return [resize_sample(rendered[i], SIDE, SIDE) for i in range(len(rendered))]


@pytest.fixture(scope="session")
def network() -> onnx.ModelProto:
    """The bundled network at SIDE x SIDE."""
    return resize_network(onnx.load(bundled(DEFAULT)), SIDE, SIDE)


@pytest.fixture(scope="session")
def plan(network: onnx.ModelProto, samples: list[Sample]) -> Callable[..., Plan]:
    """plan(target, precision, **options of BuildRequest): what `edge build` would write."""

    def make(target: str, precision: str, **options: Any) -> Plan:
        request = BuildRequest(network="net", target=target, precision=precision, **options)
        return pipeline.plan(request, network=network, samples=samples)

    return make


@pytest.fixture(scope="session")
def builds(
    plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """builds(target, precision): a build folder, made once; tests must not change it."""
    root = tmp_path_factory.mktemp("builds")

    def make(target: str, precision: str) -> Path:
        place = root / f"{target}-{precision}"
        if not place.exists():
            write_build(plan(target, precision), place)
        return place

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")


def has_gpu() -> bool:
    """Whether a CUDA driver answers and finds a device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


@pytest.fixture
def no_gpu() -> None:
    if has_gpu():
        pytest.skip("this machine has a GPU")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not has_gpu():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA GPU on this machine"))
