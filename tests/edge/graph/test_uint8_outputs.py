"""uint8 outputs are the rounded float outputs, in both forms."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge.graph.uint8_outputs import with_uint8_outputs
from edge.samples.sample import Sample
from tests.edge.graph.test_fold import run
from tests.images import images


@pytest.mark.parametrize("quantizer", [True, False])
def test_uint8_outputs_are_the_rounded_floats(
    network: onnx.ModelProto, samples: list[Sample], quantizer: bool
) -> None:
    feeds = images(samples[0].bg, samples[0].fg_bg)
    floats = run(network, feeds)
    rounded = run(with_uint8_outputs(network, quantizer), feeds)
    assert rounded.keys() == {"mask_u8", "depth_u8"}
    for name, value in floats.items():
        assert rounded[f"{name}_u8"].dtype == np.uint8
        difference = np.abs(rounded[f"{name}_u8"] - 255 * value)
        assert difference.max() <= 0.5 + 1e-3


def test_without_quantizer_the_graph_ends_in_a_cast_for_tensorrt(network: onnx.ModelProto) -> None:
    graph = with_uint8_outputs(network, quantizer=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    assert [makers[value.name].op_type for value in graph.output] == ["Cast", "Cast"]
    assert "QuantizeLinear" not in {node.op_type for node in graph.node}
