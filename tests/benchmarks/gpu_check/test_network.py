"""The stand-in engine's arithmetic against ONNX Runtime's, for each array library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.benchmarks.gpu_check.arrays import Torch
from edge.benchmarks.gpu_check.network import Network
from edge.bundled import bundled, names
from edge.calibrate.evaluator import exact
from edge.errors import EdgeError
from edge.graph.fold import split
from edge.graph.resize import resize_network
from edge.samples.sample import Sample
from tests.images import images

from .simulated import HostArrays


def torch_on_the_cpu() -> Any:
    pytest.importorskip("torch")
    arrays = Torch("cpu")
    arrays.ready = lambda: None  # type: ignore[method-assign]
    return arrays


@pytest.mark.parametrize("library", [HostArrays, torch_on_the_cpu])
@pytest.mark.parametrize("name", names())
def test_both_graphs_of_every_bundled_network(
    name: str, library: Callable[[], Any], samples: list[Sample]
) -> None:
    arrays = library()
    graphs = split(resize_network(onnx.load(bundled(name)), 64, 64))
    assert graphs.background is not None
    feeds = images(samples[0].bg, samples[1].fg_bg)
    for graph in (graphs.background, graphs.frame):
        network = Network(graph.SerializeToString(), arrays)
        inputs = {tensor.name: feeds[tensor.name] for tensor in network.inputs}
        found = network.run({k: arrays.constant(v) for k, v in inputs.items()})
        outputs = [tensor.name for tensor in network.outputs]
        true = exact(graph)(outputs, inputs)
        for tensor, expected in zip(outputs, true, strict=True):
            assert tuple(found[tensor].shape) == expected.shape
            assert np.abs(np.asarray(found[tensor]) - expected).max() < 2e-5
            feeds[tensor] = expected


def test_an_operator_that_it_lacks_is_named() -> None:
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    with pytest.raises(EdgeError, match="computes no Softmax"):
        Network(helper.make_model(graph).SerializeToString(), HostArrays())
