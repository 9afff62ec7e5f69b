"""A batch of cameras gives what each camera alone gives; what cannot be batched is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edge.errors import EdgeError
from edge.graph.fold import split
from edge.graph.open_batch import with_open_batch
from edge.targets import get


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = get("onnxruntime").session(model)
    assert session is not None
    return session([value.name for value in model.graph.output], feeds)


def test_three_cameras_in_one_batch_are_three_frames_alone(
    network: onnx.ModelProto, rng: np.random.Generator
) -> None:
    parts = split(network)
    assert parts.background is not None
    shape = [side.dim_value for side in network.graph.input[0].type.tensor_type.shape.dim]

    def picture() -> np.ndarray:
        return rng.integers(0, 256, shape, np.uint8)

    feeds = []
    for _ in range(3):
        images = {value.name: picture() for value in parts.background.graph.input}
        scene = dict(zip(parts.scene, run(parts.background, images), strict=True))
        feeds.append({"fg_bg": picture(), **scene})
    alone = [run(parts.frame, feed) for feed in feeds]
    batch = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    together = run(with_open_batch(parts.frame), batch)
    for index, found in enumerate(together):
        assert np.array_equal(found, np.concatenate([each[index] for each in alone]))
        assert found.std() > 1e-3


def one_node(
    op: str,
    constants: dict[str, np.ndarray],
    shape: list[int],
    side: int = 6,
    **attributes: object,
) -> onnx.ModelProto:
    """A graph of one node over x [1, 4, side, side]."""
    node = helper.make_node(op, ["x", *(n.strip("_") for n in constants)], ["y"], op, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(v, n) for n, v in constants.items() if n.strip("_")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


SIZES, ODD = np.array([1, 4, 9, 12]), np.array([1, 4, 13, 26])


@pytest.mark.parametrize(
    "model",
    [
        one_node("Reshape", {"s": np.array([1, 2, 2, 36])}, [1, 2, 2, 36]),
        one_node("Reshape", {"s": np.array([1, 2, 2, 36])}, [1, 2, 2, 36], allowzero=1),
        one_node("Reshape", {"s": np.array([-1, 144])}, [1, 144]),
        one_node("Reshape", {"s": np.array([1, -1])}, [1, 144]),
        one_node("Resize", {"_": SIZES, "__": SIZES, "s": SIZES}, [1, 4, 9, 12], mode="linear"),
        one_node("Resize", {"_": ODD, "__": ODD, "s": ODD}, [1, 4, 13, 26], 11, mode="nearest"),
        one_node("Expand", {"s": np.array([1, 4, 6, 6])}, [1, 4, 6, 6]),
        one_node("Softmax", {}, [1, 4, 6, 6], axis=1),
    ],
    ids=["reshape", "allowzero", "open", "rest", "resize", "odd", "expand", "softmax"],
)
def test_a_constant_batch_opens(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    batch = rng.normal(0, 1, (3, 4, side, side)).astype(np.float32)
    true = np.concatenate([ReferenceEvaluator(model).run(None, {"x": x[None]})[0] for x in batch])
    found = ReferenceEvaluator(with_open_batch(model)).run(None, {"x": batch})[0]
    assert np.array_equal(found, true)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (one_node("Reshape", {"s": np.array([4, 36])}, [4, 36]), r"y \[4, 36\] has no batch"),

        (one_node("ReduceMean", {"s": np.array([0])}, [1, 4, 6, 6]), "y has a fixed batch"),
        (
            one_node("Resize", {"_": SIZES, "__": SIZES, "s": np.array([1, 4, 6, 6])},
                     [1, 4, 6, 6], keep_aspect_ratio_policy="not_larger"),
            "has a policy for a size",
        ),
    ],
    ids=["no batch", "mean over the batch", "policy"],
)  # fmt: skip
def test_what_mixes_a_batch_is_refused(model: onnx.ModelProto, words: str) -> None:
    with pytest.raises(EdgeError, match=words):
        with_open_batch(model)
