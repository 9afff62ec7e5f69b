"""The spread of a scene on every backend, against the whole float network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge import manifest as manifests
from edge.builder.write import write_build
from edge.calibrate.pipeline import BuildRequest, plan
from edge.errors import UsageError
from edge.runtime import cuda as drivers
from edge.runtime.backends import tensorrt
from edge.samples.sample import Sample
from tests.edge.graph.spread_network import spread_network

from .fake_gpu import FakeCuda, FakeTrt

TARGETS = ["onnxruntime", "openvino"]
GPUS = ["tensorrt", "tensorrt-rtx"]
JOINED = {"folded": (), "bg folded": ("spread",), "unfolded": ("bg", "spread")}
SIDE = 64


@pytest.fixture(scope="module")
def lively() -> list[Sample]:
    """Two scenes of noise with spreads that differ, and frames in which something is new."""
    rng = np.random.default_rng(3)
    made = []
    for scene in range(2):
        bg, spread = rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
        spread = np.asarray(spread // 4, np.uint8)
        for number in range(2):
            frame = np.clip(bg + rng.normal(0, 6, bg.shape), 0, 255).astype(np.uint8)
            frame[8:40, 8 + 16 * number : 40] = 255 - frame[8:40, 8 + 16 * number : 40]
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[8:40, 8 + 16 * number : 40] = 255
            made.append(Sample(f"{scene}/{number}", bg, frame, mask, spread=spread))
    return made


def reference(joined: str, sample: Sample) -> np.ndarray:
    """The mask of the whole float network, optimisation off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = spread_network(joined=JOINED[joined])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.asarray(session.run(["mask"], sample.inputs())[0])[0, 0]


@pytest.fixture(scope="module")
def made(
    lively: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str, str], Path]:
    """made(target, precision, one of JOINED): a build, made once; tests must not change it."""
    root = tmp_path_factory.mktemp("spread")

    def make(target: str, precision: str, joined: str) -> Path:
        place = root / f"{target}-{precision}-{joined}"
        if not place.exists():
            sms = (86,) if target == "tensorrt-rtx" else ()
            request = BuildRequest(network="net", target=target, precision=precision, sm=sms)
            network = spread_network(joined=JOINED[joined])
            write_build(plan(request, network=network, samples=lively), place)
        return place

    return make


@pytest.fixture(scope="module")
def plain(lively: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """plain(target): an FP32 build of a network that takes bg and fg_bg alone, made once."""
    root = tmp_path_factory.mktemp("plain")

    def make(target: str) -> Path:
        place = root / target
        if not place.exists():
            network = spread_network()
            network.graph.input.remove(next(i for i in network.graph.input if i.name == "spread"))
            calm = np.zeros((1, SIDE, SIDE, 3), np.uint8)
            network.graph.initializer.append(onnx.numpy_helper.from_array(calm, "spread"))
            request = BuildRequest(network="net", target=target, precision="fp32")
            write_build(plan(request, network=network, samples=lively), place)
        return place

    return make


def without_spread(sample: Sample) -> Sample:
    return replace(sample, spread=None)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("joined", JOINED)
@pytest.mark.parametrize("fold", [True, False])
def test_fp32_gives_the_networks_own_numbers(
    target: str, joined: str, fold: bool, made, lively: list[Sample]
) -> None:
    """With a spread, without, and with the next: each call replaces what was known before."""
    with edge.open(made(target, "fp32", joined), 1, fold=fold) as h:
        assert h.manifest.scene_inputs
        for sample in (lively[0], without_spread(lively[1]), lively[2]):
            edge.set_background(h, sample.bg, sample.spread)
            found, _ = edge.infer(h, sample.fg_bg)
            assert found is not None
            assert np.abs(found - reference(joined, sample)).max() < 1e-5


def test_a_spread_counts(lively: list[Sample]) -> None:
    """What the other tests compare would else be equal anyway."""
    for joined in JOINED:
        known, unknown = (reference(joined, s) for s in (lively[0], without_spread(lively[0])))
        assert np.abs(known - unknown).mean() > 0.1


@pytest.mark.parametrize("target", TARGETS)
def test_int8_stays_close_to_float(target: str, made, lively: list[Sample]) -> None:
    place = made(target, "int8", "folded")
    assert manifests.read(place).int8_layers == {"openvino": 3, "onnxruntime": 2}[target]
    with edge.open(place, 1) as h:
        for sample in (*lively, without_spread(lively[0])):
            edge.set_background(h, sample.bg, sample.spread)
            found, _ = edge.infer(h, sample.fg_bg)
            assert found is not None
            assert np.abs(found - reference("folded", sample)).mean() < 0.02


@pytest.mark.parametrize("target", TARGETS)
def test_none_and_zero_are_unknown(target: str, made, lively: list[Sample]) -> None:
    masks = []
    with edge.open(made(target, "int8", "folded"), 1) as h:
        for spread in (None, np.zeros_like(lively[0].bg), lively[0].spread):
            edge.set_background(h, lively[0].bg, spread)
            masks.append(np.array(edge.infer(h, lively[0].fg_bg)[0]))
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize("target", TARGETS)
def test_handles_of_one_build_have_spreads_of_their_own(
    target: str, made, lively: list[Sample]
) -> None:
    place = made(target, "fp32", "folded")
    with edge.open(place, 1) as first, edge.open(place, 1) as second:
        edge.set_background(first, lively[0].bg, lively[0].spread)
        edge.set_background(second, lively[0].bg)
        for h, sample in ((first, lively[0]), (second, without_spread(lively[0]))):
            found, _ = edge.infer(h, sample.fg_bg)
            assert found is not None
            assert np.abs(found - reference("folded", sample)).max() < 1e-5


@pytest.mark.parametrize("target", TARGETS)
def test_a_spread_of_another_kind_is_refused(
    target: str, builds, made, lively: list[Sample]
) -> None:
    """By a build whose network takes none, too; and the background stays as it was."""
    bg = lively[0].bg
    wrong = (np.zeros((32, 64, 3), np.uint8), bg.astype(np.float32), bg[..., 0], [1, 2])
    for place in (made(target, "int8", "folded"), builds(target, "int8")):
        with edge.open(place, 1) as h:
            edge.set_background(h, bg, lively[0].spread)
            before = np.array(edge.infer(h, lively[0].fg_bg)[0])
            for spread in wrong:
                with pytest.raises(UsageError, match=r"spread is .*expected uint8 \[64, 64, 3\]"):
                    edge.set_background(h, bg, spread)  # type: ignore[arg-type]
            assert np.array_equal(edge.infer(h, lively[0].fg_bg)[0], before)


@pytest.mark.parametrize("target", TARGETS)
def test_a_network_without_spread_ignores_it(target: str, plain, samples: list[Sample]) -> None:
    masks = []
    with edge.open(plain(target), 1) as h:
        assert [tensor.name for tensor in h.manifest.scene_inputs] == ["bg"]
        for spread in (None, np.full_like(samples[0].bg, 90)):
            edge.set_background(h, samples[0].bg, spread)
            masks.append(np.array(edge.infer(h, samples[0].fg_bg)[0]))
    assert np.array_equal(*masks)


@pytest.mark.parametrize("target", TARGETS)
def test_a_build_of_an_earlier_version_goes_on_working(
    target: str, plain, samples: list[Sample], tmp_path: Path
) -> None:
    """Its manifest does not name what its background graph takes."""
    shutil.copytree(plain(target), tmp_path / "old")
    file = tmp_path / "old" / manifests.FILE
    raw = json.loads(file.read_text())
    del raw["background_inputs"]
    file.write_text(json.dumps(raw))
    masks = []
    for place in (plain(target), tmp_path / "old"):
        with edge.open(place, 1) as h:
            edge.set_background(h, samples[0].bg, samples[0].spread)
            masks.append(np.array(edge.infer(h, samples[0].fg_bg)[0]))
    assert np.array_equal(*masks)


@pytest.mark.parametrize("target", TARGETS)
def test_a_stabilizer_passes_it_on(target: str, made, lively: list[Sample]) -> None:
    sample = lively[0]
    with edge.open(made(target, "fp32", "folded"), 1) as h:
        stabilizer = edge.Stabilizer(h, sample.bg, sample.spread)
        for known in (sample, without_spread(sample)):
            found = np.array(stabilizer.infer(known.fg_bg)[0])
            assert stabilizer.offset == (0, 0)
            assert np.abs(found - reference("folded", known)).max() < 1e-5
            stabilizer.set_background(sample.bg)


@pytest.mark.parametrize("integrated", [False, True], ids=["copies", "a Jetson"])
@pytest.mark.parametrize("joined", JOINED)
@pytest.mark.parametrize("target", GPUS)
def test_on_a_gpu(
    target: str,
    joined: str,
    integrated: bool,
    made,
    lively: list[Sample],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda(integrated=integrated)
    trt = FakeTrt(cuda, "11.4.0")
    monkeypatch.setattr("edge.targets.target.Target.installed", lambda target: True)
    monkeypatch.setattr("edge.targets.plans.load", lambda module: trt)
    # Real ones take no uint8 but in a Cast, so a graph that reads an image at every frame is rare.
    monkeypatch.setattr("edge.targets.plans.trt_ready", lambda model: [])
    monkeypatch.setattr("edge.targets.tensorrt_rtx.count_layers", lambda plan: (None, None))
    monkeypatch.setattr(
        "edge.targets.plans.build_plan", lambda graph, module, sms, timings: graph.read_bytes()
    )
    monkeypatch.setattr(tensorrt, "load", lambda module: trt)
    monkeypatch.setattr(drivers, "driver", lambda name="auto": cuda)
    with edge.open(made(target, "fp32", joined)) as h:
        for sample in (lively[0], without_spread(lively[1]), lively[2]):
            edge.set_background(h, sample.bg, sample.spread)
            for found, _ in (
                edge.infer(h, sample.fg_bg),
                edge.wait(h, edge.submit(h, sample.fg_bg)),
            ):
                assert found is not None
                assert np.abs(found - reference(joined, sample)).max() < 1e-5


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_tensorrt_rtx_builds_it(precision: str, made) -> None:
    """By the builder itself."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    manifest = manifests.read(made("tensorrt-rtx", precision, "folded"))
    assert [t.name for t in manifest.background_inputs] == ["bg", "spread"]
    assert manifest.engine and manifest.background
    if precision == "int8":
        assert manifest.layers == manifest.int8_layers == 3


def test_the_manifest_names_what_each_graph_takes(made) -> None:
    for joined, of_scene, of_frame in (
        ("folded", ["bg", "spread"], []),
        ("bg folded", ["bg"], ["spread"]),
        ("unfolded", [], ["bg", "spread"]),
    ):
        place = made("onnxruntime", "fp32", joined)
        manifest = manifests.read(place)
        assert [t.name for t in manifest.background_inputs] == of_scene
        assert [t.name for t in manifest.inputs] == [*of_frame, "fg_bg"]
        assert sorted(t.name for t in manifest.scene_inputs) == ["bg", "spread"]
        frame = onnx.load(place / "frame.onnx")
        assert {v.name for v in frame.graph.input} == {
            *(t.name for t in (*manifest.inputs, *manifest.scene))
        }
