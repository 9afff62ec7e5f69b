"""What the tables of docs/performance.md are made of."""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.performance import at_batch, take_turns
from edge.graph.costs import moved
from edge.samples.sample import Sample


def test_a_batch_is_what_its_pairs_are_one_by_one(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    several = onnxruntime.InferenceSession(at_batch(network, 3).SerializeToString())
    single = onnxruntime.InferenceSession(network.SerializeToString())
    chosen = samples[:3]
    feeds = {"bg": np.stack([s.bg for s in chosen]), "fg_bg": np.stack([s.fg_bg for s in chosen])}
    found = several.run(None, feeds)
    for i in range(3):
        true = single.run(None, {name: value[i : i + 1] for name, value in feeds.items()})
        for a, b in zip(found, true, strict=True):
            assert np.abs(a[i] - b[0]).max() < 1e-5


def test_turns_are_told_apart() -> None:
    quick, slow = take_turns([lambda: None, lambda: time.sleep(0.002)], 2)
    assert slow > 10 * quick


def test_bytes_of_a_layer_are_its_weights_and_what_it_reads_and_gives() -> None:
    weight = np.zeros((5, 3, 3, 3), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 10, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, 10, 20])],
        [numpy_helper.from_array(weight, "w")],
    )
    assert moved(helper.make_model(graph)) == 3 * 200 + weight.size + 5 * 200
