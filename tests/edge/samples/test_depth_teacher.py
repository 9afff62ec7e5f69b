from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge.samples.depth_teacher import DepthTeacher


def lopsided(path: Path) -> DepthTeacher:
    """A teacher that returns the red channel plus a ramp to the right."""
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
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path
    )
    return DepthTeacher(path)


def test_depth_is_stretched_per_image(tmp_path: Path, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (8, 16, 3), np.uint8)
    depth = lopsided(tmp_path / "t.onnx")(image)
    expected = image[..., 2] + np.linspace(0, 100, 16)
    expected = (expected - expected.min()) / np.ptp(expected)
    np.testing.assert_allclose(depth, expected, atol=1e-5)


def test_an_error_on_one_side_is_averaged_with_the_mirror_image(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    teacher = lopsided(tmp_path / "t.onnx")
    image = rng.integers(0, 256, (8, 16, 3), np.uint8)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    assert np.abs(teacher(mirrored)[:, ::-1] - teacher(image)).max() > 0.1
    depth, flipped = teacher.with_flip(image), teacher.with_flip(mirrored)
    np.testing.assert_allclose(flipped[:, ::-1], depth, atol=1e-6)
    assert depth.dtype == np.float32 and depth.min() >= 0 and depth.max() <= 1
