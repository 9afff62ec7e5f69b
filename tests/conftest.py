"""What most tests need: a small true network, samples, and builds made of them."""

from __future__ import annotations

import ctypes
import os
import pickle
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edge.calibrate.rendering.camera  # (synthetic://)
import edge.runtime.ort  # noqa: F401 (tests import ONNX Runtime, without its reporter)
from edge.benchmarks.measuring.bench import Outcome, Settings, bench
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.bundled import DEFAULT, bundled
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.rendering.samples import Rendered
from edge.files import locked
from edge.graph.resize import resize_network
from edge.samples.sample import Sample, resize_sample

SIDE = 64
SETTINGS = Settings("rendered:6:4", 6, threads=1, warmup=0.0, duration=0.0, iterations=70)
DATA = Path(__file__).parents[2] / "shared"
"""Real pictures, where this checkout has them beside it; never part of the repository."""


def render_once(render: Callable[[Rendered, int], Sample]) -> Callable[[Rendered, int], Sample]:
    """Render each sample once in a process: most commands calibrate and measure on the same ones,
    and rendering takes most of their time. A sample depends on what the set is hashed of."""

    @lru_cache(maxsize=128)
    def rendered(size: tuple[int, int], seed: int, per_scene: int, index: int) -> Sample:
        return render(_set(size, seed, per_scene), index)

    @lru_cache(maxsize=4)
    def _set(size: tuple[int, int], seed: int, per_scene: int) -> Rendered:
        return Rendered(10**9, size, seed, per_scene)

    @wraps(render)
    def copied(self: Rendered, index: int) -> Sample:
        if not 0 <= index < len(self):
            return render(self, index)
        found = rendered(self._size, self._seed, self._per_scene, index)
        planes = {
            name: value.copy() for name, value in vars(found).items() if hasattr(value, "copy")
        }
        return replace(found, **planes)

    return copied


Rendered.__getitem__ = render_once(Rendered.__getitem__)  # type: ignore[method-assign]


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
    """plan(target, precision, **options of BuildRequest): what `edge build` would write.

    Each is calibrated once; what is given is a copy.
    """
    planned: dict[str, Plan] = {}

    def make(target: str, precision: str, **options: Any) -> Plan:
        request = BuildRequest(network="net", target=target, precision=precision, **options)
        if repr(request) not in planned:
            planned[repr(request)] = pipeline.plan(request, network=network, samples=samples)
        kept = planned[repr(request)]
        return replace(deepcopy(kept, {id(kept.target): kept.target}), started=time.monotonic())

    return make


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "common"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def builds(plan: Callable[..., Plan], common: Path) -> Callable[[str, str], Path]:
    """builds(target, precision): a build folder, made once; tests must not change it."""

    def make(target: str, precision: str) -> Path:
        place = common / f"{target}-{precision}"
        with locked(common / f"lock-{target}-{precision}"):
            if not place.exists():
                write_build(plan(target, precision), place)
        return place

    return make


@pytest.fixture(scope="session")
def outcome(builds: Callable[[str, str], Path], common: Path) -> Outcome:
    """One benchmark of two builds, measured once for all tests that look at it."""
    file = common / "outcome.pickle"
    with locked(common / "lock-outcome"):
        if not file.exists():
            measured = [builds("openvino", "int8"), builds("onnxruntime", "int8")]
            file.write_bytes(pickle.dumps(bench(measured, SETTINGS, lambda *_: None)))
    found: Outcome = pickle.loads(file.read_bytes())
    return found


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
