"""Graphs in half precision are whole graphs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge.bundled import bundled
from edge.graph.float16 import to_float16
from edge.graph.fold import split
from edge.graph.resize import resize_network
from edge.runtime.ort import ort
from tests.images import images


@pytest.mark.parametrize("name", ["nano", "small"])
def test_a_frame_graph_in_half_precision(name: str) -> None:
    """It passes ONNX's checker, which demands nodes in order, and computes nearly the same."""
    graphs = split(resize_network(onnx.load(bundled(name)), 64, 64))
    assert graphs.background is not None
    half = to_float16(graphs.frame)
    onnx.checker.check_model(half)
    rng = np.random.default_rng(0)
    given = images(*rng.integers(0, 256, (2, 64, 64, 3), np.uint8))
    inputs = given | _run(graphs.background, given)
    exact, found = _run(graphs.frame, inputs), _run(half, inputs)
    for key, value in exact.items():
        assert found[key].dtype == value.dtype
        assert np.abs(found[key] - value).mean() < 5e-3


def _run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    read = {value.name: inputs[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, read), strict=True))
