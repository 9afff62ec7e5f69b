"""uint8 outputs are the float ones, rounded, in every form that a target gets."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge.graph.uint8_outputs import with_uint8_outputs
from edge.samples.sample import Sample
from tests.edge.graph.test_fold import run


@pytest.mark.parametrize("quantizer", [True, False])
def test_bytes_are_the_rounded_floats(
    network: onnx.ModelProto, samples: list[Sample], quantizer: bool
) -> None:
    feeds = {"bg": samples[0].bg[None], "fg_bg": samples[0].fg_bg[None]}
    floats, found = run(network, feeds), run(with_uint8_outputs(network, quantizer), feeds)
    assert found.keys() == {"mask_u8", "depth_u8"}
    for name, value in floats.items():
        assert found[f"{name}_u8"].dtype == np.uint8
        difference = np.abs(found[f"{name}_u8"] - 255 * value)
        assert difference.max() <= 0.5 + 1e-3


def test_the_end_of_the_graph_is_what_tensorrt_takes(network: onnx.ModelProto) -> None:
    graph = with_uint8_outputs(network, quantizer=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    assert [makers[value.name].op_type for value in graph.output] == ["Cast", "Cast"]
    assert "QuantizeLinear" not in {node.op_type for node in graph.node}
