"""Parts of the tables of docs/performance.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge.benchmarks.performance import at_batch, int8_peak
from edge.graph.fold import split
from edge.graph.profile import memory_traffic
from edge.samples.sample import Sample
from tests.images import taken


def test_a_batch_is_what_its_pairs_are_one_by_one(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    """Of the frame's graph: that is what several cameras share."""
    parts = split(network)
    assert parts.background is not None
    background, single, several = (
        onnxruntime.InferenceSession(model.SerializeToString())
        for model in (parts.background, parts.frame, at_batch(parts.frame, 3))
    )
    each = []
    for sample in samples[:3]:
        scene = background.run(list(parts.scene), taken(background, sample.bg, sample.bg))
        each.append(dict(zip(parts.scene, scene, strict=True)) | {"fg_bg": sample.fg_bg[None]})
    batch = {name: np.concatenate([feeds[name] for feeds in each]) for name in each[0]}
    outputs = several.run(None, batch)
    for i, feeds in enumerate(each):
        for a, b in zip(outputs, single.run(None, feeds), strict=True):
            assert np.abs(a[i] - b[0]).max() < 1e-5


def test_the_peak_is_measured_by_a_build_that_may_be_made(tmp_path: Path) -> None:
    """It computes about what FP32 does, or no int8 build of it is given out."""
    assert int8_peak(tmp_path) > 0


def test_bytes_of_a_layer_are_its_weights_and_what_it_reads_and_gives() -> None:
    weight = np.zeros((5, 3, 3, 3), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 10, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, 10, 20])],
        [numpy_helper.from_array(weight, "w")],
    )
    assert memory_traffic(helper.make_model(graph)) == 3 * 200 + weight.size + 5 * 200
