"""The wire-format rewrite against the onnx package itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edge.graph.fold import split
from edge.runtime.constants import with_constants


def test_inputs_become_initializers_and_nothing_else_changes(
    network: onnx.ModelProto, rng: np.random.Generator
) -> None:
    frame = split(network).frame
    values = {
        value.name: rng.random([d.dim_value for d in value.type.tensor_type.shape.dim]).astype("f4")
        for value in frame.graph.input
        if value.name != "fg_bg"
    }
    found = onnx.ModelProto.FromString(with_constants(frame.SerializeToString(), values))
    onnx.checker.check_model(found)
    assert [value.name for value in found.graph.input] == ["fg_bg"]
    kept = {w.name: numpy_helper.to_array(w) for w in found.graph.initializer}
    for name, value in values.items():
        assert np.array_equal(kept.pop(name), value)
    before = {w.name: numpy_helper.to_array(w) for w in frame.graph.initializer}
    assert kept.keys() == before.keys()
    assert found.graph.node == frame.graph.node
    assert found.metadata_props == frame.metadata_props

    picture = rng.integers(0, 256, (1, 64, 64, 3), np.uint8)
    plain = onnxruntime.InferenceSession(frame.SerializeToString())
    fixed = onnxruntime.InferenceSession(found.SerializeToString())
    a = plain.run(None, {"fg_bg": picture, **values})
    b = fixed.run(None, {"fg_bg": picture})
    assert all(np.abs(x - y).max() < 1e-5 for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "float16", "float32"])
def test_constants_keep_their_type(dtype: str) -> None:
    """A scene tensor may be a picture still: layout is often changed before the type is."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    value = onnx.helper.make_tensor_value_info("x", kind, [2, 3])
    result = onnx.helper.make_tensor_value_info("y", kind, [2, 3])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [result]))
    given = np.arange(6).reshape(2, 3).astype(dtype)
    found = onnx.ModelProto.FromString(with_constants(model.SerializeToString(), {"x": given}))
    onnx.checker.check_model(found, full_check=True)
    kept = numpy_helper.to_array(found.graph.initializer[0])
    assert kept.dtype == given.dtype
    assert np.array_equal(kept, given)


def test_an_unknown_input_is_refused(network: onnx.ModelProto) -> None:
    with pytest.raises(ValueError, match="no input named elsewhere"):
        with_constants(network.SerializeToString(), {"elsewhere": np.zeros(1, np.float32)})


@pytest.mark.parametrize("data", [b"\xff" * 40, b"\x3b\x01"])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        with_constants(data, {"x": np.zeros(1, np.float32)})
