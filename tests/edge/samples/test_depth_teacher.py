from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge.samples.depth_teacher import DepthTeacher


def lopsided(path: Path) -> DepthTeacher:
    """Says how bright red is, plus something that grows to the right whatever there is."""
    ramp = np.linspace(0, 100, 16, dtype=np.float32)[None, None, None]
    weights = {"ramp": ramp, "red": np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1)}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "red"], ["r"]),
            helper.make_node("Add", ["r", "ramp"], "d"),
        ],
        "teacher",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 16])],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [1, 1, 8, 16])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return DepthTeacher(path)


def test_depth_is_stretched_to_the_picture(tmp_path: Path, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (8, 16, 3), np.uint8)
    depth = lopsided(tmp_path / "t.onnx")(picture)
    expected = picture[..., 2] + np.linspace(0, 100, 16)
    expected = (expected - expected.min()) / np.ptp(expected)
    np.testing.assert_allclose(depth, expected, atol=1e-5)


def test_what_is_wrong_on_one_side_only_is_evened_out_by_the_mirror(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    teacher = lopsided(tmp_path / "t.onnx")
    picture = rng.integers(0, 256, (8, 16, 3), np.uint8)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    assert np.abs(teacher(mirrored)[:, ::-1] - teacher(picture)).max() > 0.1
    both, again = teacher.both_ways(picture), teacher.both_ways(mirrored)
    np.testing.assert_allclose(again[:, ::-1], both, atol=1e-6)
    assert both.dtype == np.float32 and both.min() >= 0 and both.max() <= 1
