"""The depth of the scene, as programs read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edge
from edge.builder.write import write_build
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample
from tests.images import taken


def own_depth(network: onnx.ModelProto, bg: np.ndarray) -> np.ndarray:
    """What the scene's part of the whole float network gives, float32 [H, W]."""
    copy = onnx.ModelProto.FromString(network.SerializeToString())
    name = [n.output[0] for n in copy.graph.node if n.name.startswith("scene_depth.")][-1]
    copy.graph.output.add().name = name
    session = onnxruntime.InferenceSession(copy.SerializeToString())
    return np.asarray(session.run([name], taken(session, bg, bg))[0])[0, 0]


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("fold", [True, False], ids=["folded", "unfolded"])
def test_it_is_that_of_the_last_background(
    target: str, precision: str, fold: bool, builds, network: onnx.ModelProto, samples: list[Sample]
) -> None:
    kept = []
    with edge.open(builds(target, precision), threads=1, fold=fold) as h:
        with pytest.raises(UsageError, match="no background yet"):
            edge.scene_depth(h)
        for sample in (samples[0], samples[-1]):
            edge.set_background(h, sample.bg)
            edge.infer(h, sample.fg_bg)
            found = edge.scene_depth(h)
            assert found.dtype == np.float32 and found.shape == sample.bg.shape[:2]
            assert np.abs(found - own_depth(network, sample.bg)).max() < 1e-4
            kept.append((found, found.copy()))
    assert np.abs(kept[0][0] - kept[1][0]).max() > 0.05
    for found, before in kept:  # the caller's own, also after the next background and the end
        assert np.array_equal(found, before)
    with pytest.raises(EdgeError, match="is closed"):
        edge.scene_depth(h)


def test_where_nothing_is_new_it_is_the_depth(builds, samples: list[Sample]) -> None:
    sample = samples[0]
    with edge.open(builds("openvino", "fp32"), threads=1) as h:
        edge.set_background(h, sample.bg)
        mask, depth = edge.infer(h, sample.fg_bg)
        assert mask is not None and depth is not None
        nothing = mask < 1e-4
        assert nothing.mean() > 0.2
        assert np.abs(edge.scene_depth(h) - depth)[nothing].max() < 1e-3


def test_a_network_without_one_says_so(
    network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    typed = onnx.shape_inference.infer_shapes(network)
    mask = onnx.utils.Extractor(typed).extract_model(
        [value.name for value in typed.graph.input], ["mask"]
    )
    request = BuildRequest(network="mask", target="onnxruntime", precision="fp32")
    write_build(pipeline.plan(request, network=mask), tmp_path / "build")
    with edge.open(tmp_path / "build", threads=1) as h:
        edge.set_background(h, samples[0].bg)
        with pytest.raises(EdgeError, match="has no depth of the scene: its network computes none"):
            edge.scene_depth(h)
