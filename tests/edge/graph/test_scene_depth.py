from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import UsageError
from edge.graph.depth_network import read_depth_network
from edge.graph.fold import split
from edge.graph.scene_depth import find_scene_depth, with_scene_depth
from edge.samples.sample import Sample
from tests.edge.graph.depth_networks import expected, save_network
from tests.images import images

SIDE = 8


def own_depth(network: onnx.ModelProto) -> str:
    """The depth of the scene in a network of ours, by the names of its modules."""
    return [n.output[0] for n in network.graph.node if n.name.startswith("scene_depth.")][-1]


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray], *names: str) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    wanted = {value.name for value in session.get_inputs()}
    return session.run(list(names), {k: v for k, v in feeds.items() if k in wanted})


def node(operator: str, inputs: list[str], output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], output, **attributes)


def network_of(blend: list[onnx.NodeProto]) -> onnx.ModelProto:
    """A network of `blend`, which makes `end` of scene, share, new and one."""
    nodes = [node("Cast", [image], f"{image}.f", to=TensorProto.FLOAT) for image in ("bg", "fg_bg")]
    nodes += [node("Transpose", [f"{i}.f"], f"{i}.t", perm=[0, 3, 1, 2]) for i in ("bg", "fg_bg")]
    for image, name in (("bg", "scene"), ("fg_bg", "share"), ("fg_bg", "new")):
        nodes += [node("Conv", [f"{image}.t", f"{name}.w"], f"{name}.c")]
        nodes += [node("Sigmoid", [f"{name}.c"], name)]
    nodes += [*blend, node("Clip", ["end", "zero", "one"], "depth")]
    rng = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.01, (1, 3, 1, 1)).astype(np.float32), f"{name}.w")
        for name in ("scene", "share", "new")
    ]
    weights += [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in
                {"one": 1, "zero": 0, "half": 0.5}.items()]  # fmt: skip
    flat = np.array([1, SIDE // 4, 4, SIDE], np.int64)
    weights += [numpy_helper.from_array(flat, "flat")]
    weights += [numpy_helper.from_array(np.array([1, 1, SIDE, SIDE], np.int64), "map")]
    shape = [1, SIDE, SIDE, 3]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n in ("bg", "fg_bg")],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


BLENDS = {
    "scene + share * (new - scene)": [
        node("Sub", ["new", "scene"], "further"),
        node("Mul", ["share", "further"], "part"),
        node("Add", ["scene", "part"], "end"),
    ],
    "the same, the other way round": [
        node("Sub", ["new", "scene"], "further"),
        node("Mul", ["further", "share"], "part"),
        node("Add", ["part", "scene"], "end"),
    ],
    "scene * (1 - share) + new * share": [
        node("Sub", ["one", "share"], "rest"),
        node("Mul", ["scene", "rest"], "old"),
        node("Mul", ["new", "share"], "part"),
        node("Add", ["old", "part"], "end"),
    ],
    "in cells, never behind the scene": [
        *(node("Reshape", [each, "flat"], f"{each}.flat") for each in ("scene", "new", "share")),
        node("Max", ["new.flat", "scene.flat"], "nearer"),
        node("Sub", ["nearer", "scene.flat"], "further"),
        node("Mul", ["share.flat", "further"], "part"),
        node("Add", ["scene.flat", "part"], "cells"),
        node("Reshape", ["cells", "map"], "end"),
    ],
}
OTHERS = {
    "a sum": [node("Add", ["scene", "new"], "end")],
    "a share of the scene": [
        node("Mul", ["scene", "share"], "part"),
        node("Add", ["new", "part"], "end"),
    ],
    "another rest": [
        node("Sub", ["half", "share"], "rest"),
        node("Mul", ["scene", "rest"], "old"),
        node("Mul", ["new", "share"], "part"),
        node("Add", ["old", "part"], "end"),
    ],
    "the frame alone": [node("Identity", ["new"], "end")],
}


@pytest.mark.parametrize("blend", BLENDS)
def test_it_is_found_in_every_way_to_write_a_blend(blend: str) -> None:
    model = network_of(BLENDS[blend])
    found = find_scene_depth(model)
    assert found is not None and found[1] == "scene"
    assert "scene_depth" in split(model).scene


@pytest.mark.parametrize("blend", OTHERS)
def test_what_is_no_blend_has_none(blend: str, tmp_path: Path) -> None:
    model = network_of(OTHERS[blend])
    assert find_scene_depth(model) is None
    assert "scene_depth" not in split(model).scene
    network = read_depth_network(save_network(tmp_path / "d.onnx"), "0..1,inverse")
    with pytest.raises(UsageError, match="computes no depth of the scene that --scene-depth could"):
        with_scene_depth(model, network)


def test_no_other_tensor_is_called_the_depth_of_the_scene(rng: np.random.Generator) -> None:
    """A network may use the name for something else."""
    images = {n: rng.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8) for n in ("bg", "fg_bg")}
    blends = {**BLENDS, **OTHERS}
    for name in ("scene + share * (new - scene)", "a sum"):
        model = network_of(blends[name])
        (true,) = run(model, images, "depth")
        for each in model.graph.node:
            each.input[:] = ["scene_depth" if n == "bg.t" else n for n in each.input]
            each.output[:] = ["scene_depth" if n == "bg.t" else n for n in each.output]
        del model.graph.value_info[:]
        parts = split(model)
        assert parts.background is not None
        assert ("scene_depth" in parts.scene) == (name != "a sum")
        scene = dict(zip(parts.scene, run(parts.background, images, *parts.scene), strict=True))
        (found,) = run(parts.frame, images | scene, "depth")
        np.testing.assert_allclose(found, true, atol=1e-6)


def test_the_bundled_network_has_one(network: onnx.ModelProto) -> None:
    found = find_scene_depth(onnx.shape_inference.infer_shapes(network))
    assert found is not None and found[1] == own_depth(network)


def test_another_network_gives_it(
    network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    """Against the network with its own depth of the scene cut out and another one handed in."""
    other = read_depth_network(save_network(tmp_path / "d.onnx"), "0..255,inverse")
    changed = with_scene_depth(network, other)
    own = own_depth(network)
    typed = onnx.shape_inference.infer_shapes(network)
    inputs = [*(value.name for value in typed.graph.input), own]
    cut = onnx.utils.Extractor(typed).extract_model(inputs, ["mask", "depth"])
    names = {node.name for node in changed.graph.node}
    assert not any(name.startswith("scene_depth.") for name in names)
    parts = split(changed)
    assert parts.background is not None and parts.unfolded == ()
    for sample in (samples[0], samples[-1]):
        feeds = images(sample.bg, sample.fg_bg)
        scene = expected(sample.bg).astype(np.float32)[None, None]
        true = run(cut, feeds | {own: scene}, "mask", "depth")
        before = run(network, feeds, "mask", "depth")
        scenes = dict(zip(parts.scene, run(parts.background, feeds, *parts.scene), strict=True))
        np.testing.assert_allclose(scenes["scene_depth"].reshape(scene.shape), scene, atol=1e-4)
        for found in (
            run(changed, feeds, "mask", "depth"),
            run(parts.frame, feeds | scenes, "mask", "depth"),
        ):
            for ours, theirs in zip(found, true, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-3)
        assert np.abs(before[1] - true[1]).mean() > 0.05


def test_the_result_says_which_file_it_was(network: onnx.ModelProto, tmp_path: Path) -> None:
    other = read_depth_network(save_network(tmp_path / "d.onnx"), "0..255,inverse")
    changed = {p.key: p.value for p in with_scene_depth(network, other).metadata_props}
    assert changed == {p.key: p.value for p in network.metadata_props} | other.metadata()
