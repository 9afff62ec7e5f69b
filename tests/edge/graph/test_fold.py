"""Folding moves whatever depends on the background out of the frame graph, exactly."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import EdgeError
from edge.graph.fold import split
from edge.samples.sample import Sample
from tests.edge.graph.spread_network import spread_network
from tests.images import images


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    wanted = {value.name for value in session.get_inputs()}
    values = session.run(names, {name: feeds[name] for name in wanted})
    return dict(zip(names, values, strict=True))


def folded(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = split(model)
    assert parts.background is not None
    return run(parts.frame, feeds | run(parts.background, feeds))


def test_the_bundled_network_folds_to_the_same_values(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    for sample in samples[:3]:
        feeds = images(sample.bg, sample.fg_bg)
        whole, parts = run(network, feeds), folded(network, feeds)
        for name in whole:
            assert np.abs(whole[name] - parts[name]).max() < 1e-5


def test_the_frame_graph_does_not_read_the_background(network: onnx.ModelProto) -> None:
    parts = split(network)
    assert "bg" not in {value.name for value in parts.frame.graph.input}
    assert parts.unfolded == ()
    report = parts.report()
    assert report["background_macs"] > report["frame_macs"] > 0


IMAGE_SHAPE = (1, 8, 8, 3)


TWO, THREE = ("bg", "fg_bg"), ("bg", "spread", "fg_bg")


def two_input(
    nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], names: tuple[str, ...] = TWO
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(n, TensorProto.UINT8, IMAGE_SHAPE) for n in names],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def cast(name: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", [name], [f"{name}.f"], f"{name}.cast", to=TensorProto.FLOAT),
        helper.make_node(
            "Transpose", [f"{name}.f"], [f"{name}.t"], f"{name}.chw", perm=[0, 3, 1, 2]
        ),
    ]


FUSIONS = {
    "difference": [
        helper.make_node("Sub", ["a", "b"], ["d"], "d"),
        helper.make_node("Abs", ["d"], ["mask"], "abs"),
    ],
    "sum": [helper.make_node("Add", ["a", "b"], ["mask"], "sum")],
    "concatenation": [helper.make_node("Concat", ["a", "b"], ["mask"], "cat", axis=1)],
}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_folds(fusion: str, rng: np.random.Generator) -> None:
    weight = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    nodes = [
        *cast("bg"),
        *cast("fg_bg"),
        helper.make_node("Conv", ["bg.t", "w"], ["b"], "conv_b"),
        helper.make_node("Conv", ["fg_bg.t", "w"], ["a"], "conv_a"),
        *FUSIONS[fusion],
    ]
    model = two_input(nodes, [weight])
    pair = rng.integers(0, 256, (2, *IMAGE_SHAPE), np.uint8)
    feeds = {"bg": pair[0], "fg_bg": pair[1]}
    assert split(model).scene == ("b",)
    whole = run(model, feeds)["mask"]  # one runtime fuses what the other adds: float rounding
    assert folded(model, feeds)["mask"] == pytest.approx(whole, rel=1e-5, abs=1e-3)


def test_inputs_that_are_joined_first_cannot_be_folded(rng: np.random.Generator) -> None:
    nodes = [
        helper.make_node("Concat", ["bg", "fg_bg"], ["joined"], "cat", axis=3),
        helper.make_node("Cast", ["joined"], ["mask"], "cast", to=TensorProto.FLOAT),
    ]
    model = two_input(nodes, [])
    parts = split(model)
    assert parts.background is None
    assert parts.scene == ()
    assert {value.name for value in parts.frame.graph.input} == {"bg", "fg_bg"}


def test_an_output_of_the_background_alone_is_refused() -> None:
    nodes = [*cast("bg"), helper.make_node("Abs", ["bg.t"], ["mask"], "abs")]
    with pytest.raises(EdgeError, match="does not depend on `fg_bg`"):
        split(two_input(nodes, []))


def test_a_network_without_frame_is_refused(network: onnx.ModelProto) -> None:
    other = onnx.ModelProto.FromString(network.SerializeToString())
    other.graph.input[-1].name = "frame"
    for node in other.graph.node:
        for i, name in enumerate(node.input):
            if name == "fg_bg":
                node.input[i] = "frame"
    with pytest.raises(EdgeError, match=r"no input `fg_bg`; found bg, .*frame"):
        split(other)


@pytest.mark.parametrize("joined", [(), ("spread",), ("bg", "spread")])
def test_a_spread_folds_as_the_background_does(
    joined: tuple[str, ...], rng: np.random.Generator
) -> None:
    """Exactly, and all of it but what is joined with the frame first."""
    model = spread_network(8, 8, joined)
    images = dict(zip(THREE, rng.integers(0, 256, (3, *IMAGE_SHAPE), np.uint8), strict=True))
    images["spread"] //= 8
    parts = split(model)
    whole = run(model, images)["mask"]
    assert whole.std() > 0.05
    frame = {value.name for value in parts.frame.graph.input}
    assert frame == {*joined, "fg_bg", *parts.scene}
    if joined == ("bg", "spread"):
        assert parts.background is None and parts.unfolded
        found = run(parts.frame, images)["mask"]
    else:
        assert parts.background is not None
        read = [value.name for value in parts.background.graph.input]
        assert read == [name for name in ("bg", "spread") if name not in joined]
        assert len(parts.scene) == len(read)
        found = folded(model, images)["mask"]
    assert found == pytest.approx(whole, abs=1e-6)


def test_layers_over_frame_background_and_spread_are_distributed(rng: np.random.Generator) -> None:
    """conv(cat[frame, bg, spread]): one sum, one scene tensor."""
    weight = numpy_helper.from_array(rng.normal(size=(4, 9, 3, 3)).astype(np.float32), "w")
    nodes = [
        *(node for name in THREE for node in cast(name)),
        helper.make_node("Concat", [f"{name}.t" for name in THREE], ["all"], "cat", axis=1),
        helper.make_node("Conv", ["all", "w"], ["mask"], "conv"),
    ]
    model = two_input(nodes, [weight], THREE)
    images = dict(zip(THREE, rng.integers(0, 256, (3, *IMAGE_SHAPE), np.uint8), strict=True))
    parts = split(model)
    assert len(parts.scene) == len(parts.distributed) == 1
    whole = run(model, images)["mask"]
    assert folded(model, images)["mask"] == pytest.approx(whole, rel=1e-5, abs=1e-2)


def test_an_output_of_background_and_spread_alone_is_refused() -> None:
    nodes = [*cast("bg"), *cast("spread"), helper.make_node("Sub", ["bg.t", "spread.t"], ["mask"])]
    with pytest.raises(EdgeError, match="does not depend on `fg_bg`"):
        split(two_input(nodes, [], THREE))
