from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import EdgeError, UsageError
from edge.graph.dependencies import tensor_shapes
from edge.graph.resize import _resized_shape, image_size, resize_network, stride_of
from tests.edge.graph.spread_network import spread_network
from tests.images import taken


def test_the_stride_is_in_the_metadata(network: onnx.ModelProto) -> None:
    assert stride_of(network) == 16
    assert image_size(network) == (64, 64)


@pytest.mark.parametrize(("height", "width"), [(192, 320), (384, 640), (224, 224)])
def test_another_size_runs(network: onnx.ModelProto, height: int, width: int) -> None:
    model = resize_network(network, height, width)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    image = np.zeros((height, width, 3), np.uint8)
    mask, depth = session.run(["mask", "depth"], taken(session, image, image))
    assert mask.shape == depth.shape == (1, 1, height, width)


def test_a_network_with_a_spread_is_resized() -> None:
    model = resize_network(spread_network(), 48, 80)
    assert [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input] == [
        [1, 48, 80, 3]
    ] * 3
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 48, 80, 3), np.uint8)
    feeds = dict(zip(("bg", "spread", "fg_bg"), images, strict=True))
    found, true = (
        onnxruntime.InferenceSession(each.SerializeToString()).run(["mask"], feeds)[0]
        for each in (model, spread_network(48, 80))
    )
    assert np.array_equal(found, true)


def test_a_network_can_be_resized_again(network: onnx.ModelProto) -> None:
    model = resize_network(resize_network(network, 192, 320), 96, 128)
    onnx.checker.check_model(model)
    image = np.zeros((96, 128, 3), np.uint8)
    sessions = [
        onnxruntime.InferenceSession(each.SerializeToString())
        for each in (model, resize_network(network, 96, 128))
    ]
    found, true = (s.run(["mask", "depth"], taken(s, image, image)) for s in sessions)
    for a, b in zip(found, true, strict=True):
        assert np.array_equal(a, b)


def test_a_pass_of_the_size_of_the_image_keeps_it_at_another() -> None:
    """The scene's depth resizes the image to sizes of its own; one may be that of the image."""
    sizes = {"own": [1, 3, 64, 64], "back": [1, 1, 64, 64]}
    weights = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in sizes.items()]
    weights.append(numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "grey"))
    nodes = [
        helper.make_node("Cast", ["fg_bg"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["image"], perm=[0, 3, 1, 2]),
        helper.make_node("Resize", ["image", "", "", "own"], ["small"], mode="linear"),
        helper.make_node("Conv", ["small", "grey"], ["found"]),
        helper.make_node("Resize", ["found", "", "", "back"], ["depth"], mode="linear"),
    ]
    image = helper.make_tensor_value_info("fg_bg", TensorProto.UINT8, [1, 64, 64, 3])
    depth = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 1, 64, 64])
    graph = helper.make_graph(nodes, "scene", [image], [depth], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    shapes = tensor_shapes(resize_network(model, 96, 128).graph)
    assert shapes["small"] == [1, 3, 64, 64]
    assert shapes["depth"] == [1, 1, 96, 128]


def test_a_size_that_does_not_divide_is_refused_with_the_nearest(network: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="multiples of 16; the nearest is 96x96"):
        resize_network(network, 100, 100)


def test_a_network_that_breaks_the_contract_is_refused(network: onnx.ModelProto) -> None:
    other = onnx.ModelProto.FromString(network.SerializeToString())
    for value in other.graph.input:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    with pytest.raises(EdgeError, match=r"float \[1, 64, 64, 3\], expected uint8"):
        image_size(other)


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        # 64x64 to 192x320 (height x width), in cells of 4
        ([1, 16, 4, 16, 4], [1, 1, 64, 64], [1, 48, 4, 80, 4], [1, 1, 192, 320]),
        ([1, 1, 64, 64], [1, 16, 4, 64], [1, 1, 192, 320], [1, 48, 4, 320]),
        ([1, 16, 16, 16], [1, 16, 16, 4, 4], [1, 48, 80, 16], [1, 48, 80, 4, 4]),
        ([1, 8, 16, 16], [1, 8, 256], [1, 8, 48, 80], [1, 8, 3840]),
        ([1, 8, 1, 1], [1, 8], [1, 8, 1, 1], [1, 8]),
        ([1, 8, 4, 4], [1, -1], [1, 8, 12, 20], [1, -1]),
    ],
)
def test_a_reshape_follows_the_size(
    before: list[int], after: list[int], now: list[int], expected: list[int]
) -> None:
    assert _resized_shape(before, after, now) == expected
