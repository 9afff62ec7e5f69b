from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge.errors import EdgeError, UsageError
from edge.graph.depth_network import depth_graph, parse_format, read_depth_network
from edge.manifest import sha256
from tests.edge.graph.depth_networks import HEIGHT, WIDTH, expected, save_network


def depth_of(path: Path, bg: np.ndarray, text: str | None = None) -> np.ndarray:
    network = read_depth_network(path, text)
    graph = depth_graph(network, *bg.shape[:2], "bg", "given")
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (depth,) = session.run(["given"], {"bg": bg[None]})
    assert depth.shape == (1, 1, *bg.shape[:2]) and depth.dtype == np.float32
    return depth[0, 0]


def picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("text", "mean", "divisor"),
    [
        ("0..255,inverse", (0, 0, 0), (1, 1, 1)),
        ("0..1,inverse", (0, 0, 0), (255, 255, 255)),
        ("-1..1,inverse", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        ("imagenet,inverse", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ],
)
@pytest.mark.parametrize("size", [(24, 40), (64, 64), (20, 32), (48, 80), (25, 100)])
def test_the_image_is_resized_and_normalised(
    text: str,
    mean: tuple[float, float, float],
    divisor: tuple[float, float, float],
    size: tuple[int, int],
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    bg = picture(rng, *size)
    found = depth_of(save_network(tmp_path / "d.onnx"), bg, text)
    np.testing.assert_allclose(found, expected(bg, mean, divisor), atol=2e-5)
    assert found.min() == 0 and found.max() == pytest.approx(1)


def test_distances_become_inverse_depth(tmp_path: Path, rng: np.random.Generator) -> None:
    bg = picture(rng, 64, 64)
    bg[:40, :40] = 0  # a distance of 0 has no inverse
    found = depth_of(save_network(tmp_path / "d.onnx"), bg, "0..255,metres")
    np.testing.assert_allclose(found, expected(bg, metres=True), atol=2e-5)
    assert found[20, 20] == 1


def test_a_flat_depth_is_no_division_by_zero(tmp_path: Path) -> None:
    bg = np.full((64, 64, 3), 90, np.uint8)
    found = depth_of(save_network(tmp_path / "d.onnx"), bg, "0..255,inverse")
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1


def test_fine_texture_does_not_alias(tmp_path: Path) -> None:
    """Columns of black and white are grey from afar, not the one or the other."""
    bg = np.zeros((4 * HEIGHT, 4 * WIDTH, 3), np.uint8)
    bg[:, ::2] = 255
    bg[0] = 0
    bg[-1] = 255
    found = depth_of(save_network(tmp_path / "d.onnx"), bg, "0..255,inverse")
    middle = found[16:-16]
    assert np.ptp(middle) < 1e-3


@pytest.mark.parametrize("squeezed", [True, False])
@pytest.mark.parametrize("opset", [11, 17, 21])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_files_as_others_export_them(
    squeezed: bool, opset: int, dtype: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Of open sides, in half precision, of an older opset, a map without its channel."""
    path = save_network(
        tmp_path / "d.onnx",
        ("batch", 3, "height", "width"),
        dtype=dtype,
        opset=opset,
        metadata={"scene_depth_format": "0..1,inverse,28x14"},
        squeezed=squeezed,
    )
    bg = picture(rng, 64, 64)
    np.testing.assert_allclose(
        depth_of(path, bg),
        expected(bg, divisor=(255, 255, 255), size=(14, 28)),
        atol=2e-5 if dtype == TensorProto.FLOAT else 2e-3,
    )


def test_an_option_outranks_the_metadata(tmp_path: Path) -> None:
    path = save_network(tmp_path / "d.onnx", metadata={"scene_depth_format": "0..1,metres"})
    assert str(read_depth_network(path).format) == "0..1,metres"
    network = read_depth_network(path, "imagenet,inverse")
    assert network.metadata() == {
        "scene_depth_file": "d.onnx",
        "scene_depth_sha256": sha256(path),
        "scene_depth_format": "imagenet,inverse",
    }


@pytest.mark.parametrize(
    "text",
    [
        "imagenet",
        "imagenet,near",
        "bgr,inverse",
        "imagenet,inverse,518",
        "",
        ",",
        "0..1,inverse,0x0",
    ],
)
def test_an_unknown_format_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--scene-depth-format {text}: expected"):
        parse_format(text)


def test_a_file_that_does_not_say_its_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say how its input is normalised") as error:
        read_depth_network(save_network(tmp_path / "d.onnx"))
    assert "--scene-depth-format imagenet,inverse" in error.value.hint


@pytest.mark.parametrize(
    ("sides", "text", "found"),
    [
        ((1, 3, "h", "w"), "0..1,inverse", "takes images of any size"),
        ((1, 3, 24, "w"), "0..1,inverse", "takes images of any size"),
        ((1, 3, 24, 40), "0..1,inverse,40x48", "takes images of 40x24, not of 40x48"),
        ((1, 3, 24, "w"), "0..1,inverse,40x48", "takes images of any widthx24, not of 40x48"),
        ((2, 3, 24, 40), "0..1,inverse", r"its input is float \[2, 3, 24, 40\]"),
        ((1, 24, 40, 3), "0..1,inverse", r"its input is float \[1, 24, 40, 3\]"),
        ((1, 4, 24, 40), "0..1,inverse", r"its input is float \[1, 4, 24, 40\]"),
    ],
)
def test_another_input_is_refused(
    sides: tuple[int | str, ...], text: str, found: str, tmp_path: Path
) -> None:
    path = save_network(tmp_path / "d.onnx", sides)
    with pytest.raises(
        EdgeError, match=f"d.onnx is no depth network: it.* ?{found.removeprefix('it')}"
    ):
        read_depth_network(path, text)


def test_no_file_and_no_network(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no file"):
        read_depth_network(tmp_path / "d.onnx", "0..1,inverse")
    (tmp_path / "d.onnx").write_bytes(b"<html>not found</html>")
    with pytest.raises(EdgeError, match="is not an ONNX network"):
        read_depth_network(tmp_path / "d.onnx", "0..1,inverse")


def of(nodes: list[onnx.NodeProto], outputs: list[str], path: Path) -> Path:
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 16])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, list("nchw")) for n in outputs],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_an_output_that_is_no_map_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["image"], ["classes"], "relu")
    path = of([node], ["classes"], tmp_path / "d.onnx")
    with pytest.raises(EdgeError, match=r"output classes is float32 \[1, 3, 8, 16\], expected a"):
        read_depth_network(path, "0..1,inverse")


def test_of_several_outputs_the_depth_is_taken(tmp_path: Path, rng: np.random.Generator) -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["features"], "relu"),
        helper.make_node("ReduceMean", ["image"], ["predicted_depth"], "mean", axes=[1]),
    ]
    network = read_depth_network(
        of(nodes, ["features", "predicted_depth"], tmp_path / "d.onnx"), "0..1,inverse"
    )
    assert (network.output, network.given) == ("predicted_depth", (8, 16))
    nodes[1].output[0] = "other"
    with pytest.raises(EdgeError, match="has the outputs features, other, expected one depth map"):
        read_depth_network(of(nodes, ["features", "other"], tmp_path / "e.onnx"), "0..1,inverse")
