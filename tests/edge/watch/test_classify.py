"""The hook for a classifier, with tiny models made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import EdgeError, UsageError
from edge.watch.classify import OnnxClassifier

RED, GREEN = np.full((30, 20, 3), (0, 0, 250), np.uint8), np.full((9, 50, 3), (0, 250, 0), np.uint8)


def model(
    path: Path, kind: int = TensorProto.FLOAT, shape: tuple[object, ...] = (1, 3, 8, 8),
    names: str | None = None, softmax: bool = False,
) -> Path:  # fmt: skip
    """Scores are the means of the channels of what it is given: red, green, blue."""
    nodes = [helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT)]
    axes = [1, 2] if shape[-1] == 3 else [2, 3]
    weights = [numpy_helper.from_array(np.array(axes, np.int64), "axes")]
    nodes.append(helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0))
    if softmax:
        nodes.append(helper.make_node("Softmax", ["means"], ["scores"]))
    else:
        nodes.append(helper.make_node("Identity", ["means"], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if names is not None:
        made.metadata_props.add(key="names", value=names)
    onnx.save(made, path)
    return path


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (TensorProto.FLOAT, (1, 3, 8, 8)),
        (TensorProto.FLOAT, ("n", 3, "h", "w")),
        (TensorProto.UINT8, (1, 3, 8, 8)),
        (TensorProto.UINT8, (1, 8, 8, 3)),
    ],
)
@pytest.mark.parametrize("softmax", [False, True])
def test_a_crop_is_given_in_rgb(
    tmp_path: Path, kind: int, shape: tuple[object, ...], softmax: bool
) -> None:
    path = model(tmp_path / "a.onnx", kind, shape, json.dumps(["red", "green", "blue"]), softmax)
    classify = OnnxClassifier(path)
    assert classify(RED)[0] == "red"
    name, score = classify(GREEN)
    assert name == "green" and 0.5 < score <= 1


def test_floats_are_normalized_as_by_imagenet(tmp_path: Path) -> None:
    """Scores of the network are then (level / 255 - mean) / deviation."""
    classify = OnnxClassifier(model(tmp_path / "a.onnx"))
    scores = classify._scores(np.full((4, 4, 3), (51, 102, 204), np.uint8))
    expected = [(0.8 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    assert scores == pytest.approx(expected, abs=1e-5)
    exponents = np.exp(expected)
    assert classify(np.full((4, 4, 3), (51, 102, 204), np.uint8)) == (
        "0", pytest.approx(exponents[0] / exponents.sum(), abs=1e-5),
    )  # fmt: skip


def test_where_names_come_from(tmp_path: Path) -> None:
    path = model(tmp_path / "a.onnx", names="{0: 'r', 2: 'b', 1: 'g'}")  # as some exporters write
    assert OnnxClassifier(path)(GREEN)[0] == "g"
    path = model(tmp_path / "b.onnx")
    assert OnnxClassifier(path)(GREEN)[0] == "1"
    (tmp_path / "b.txt").write_text("rot\ngrün\nblau\n")
    assert OnnxClassifier(path)(GREEN)[0] == "grün"
    (tmp_path / "b.txt").write_text("rot\n")
    with pytest.raises(UsageError, match="3 scores and has 1 names"):
        OnnxClassifier(path)
    with pytest.raises(UsageError, match="`names` is no list"):
        OnnxClassifier(model(tmp_path / "c.onnx", names="red"))


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no such file"):
        OnnxClassifier(tmp_path / "none.onnx")
    (tmp_path / "torn.onnx").write_bytes(b"half a model")
    with pytest.raises(EdgeError, match="is no model"):
        OnnxClassifier(tmp_path / "torn.onnx")
    with pytest.raises(UsageError, match=r"expected one image: float32 \[1, 3, H, W\]"):
        OnnxClassifier(model(tmp_path / "grey.onnx", shape=(1, 1, 8, 8)))
    with pytest.raises(UsageError, match="expected one image"):
        OnnxClassifier(model(tmp_path / "int.onnx", kind=TensorProto.INT32))
