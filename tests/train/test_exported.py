"""Networks read back from ONNX: torch computes what the file does, and nothing else is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edge.bundled import bundled, names
from edge.errors import EdgeError
from edge.graph.resize import resize_network
from edge.runtime.ort import ort
from edge.samples.sample import Sample
from edge.train.checkpoint import load, locate, network_of, save
from edge.train.export import export
from edge.train.networks import create, normalised
from edge.train.networks.scene import kept_scenes
from edge.train.networks.variant import Variant
from edge.train.prune import without
from tests.images import taken

from .batchnorm import shuffled

EXACT = 2e-5


def onnx_file(path: Path, name: str, network: nn.Module, variant: Variant, side: int = 64) -> Path:
    """A network as `edge export` writes it."""
    checkpoint = path.with_suffix(".pt")
    state = {"network": name, "weights": network.state_dict(), "recipe": {}, "scores": {"score": 1}}
    kept = bool(kept_scenes(network))
    save(state | {"variant": vars(variant), "scene_kept": kept}, checkpoint)
    onnx.save(export(checkpoint, side, side), path)
    return path


@pytest.mark.parametrize("name", names())
def test_torch_computes_what_the_bundled_file_does(
    name: str, samples: list[Sample], rng: np.random.Generator
) -> None:
    """ONNX Runtime at another size is the reference, on rendered images and on noise."""
    network, state = network_of(Path(name))
    session = ort.InferenceSession(
        resize_network(onnx.load(bundled(name)), 64, 64).SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    noise = [rng.integers(0, 256, (2, 64, 64, 3), np.uint8) for _ in range(2)]
    for bg, fg_bg in (*((s.bg, s.fg_bg) for s in samples), *noise):
        mask, depth = session.run(["mask", "depth"], taken(session, bg, fg_bg))
        with torch.no_grad():
            pair = (normalised(torch.from_numpy(image[None])) for image in (bg, fg_bg))
            logits, found = network(*pair)
        assert np.abs(torch.sigmoid(logits).numpy() - mask).max() <= EXACT
        assert np.abs(found.numpy() - depth).max() <= EXACT
    assert (state["network"], state["variant"]) == (name, {"inputs": "spread", "outputs": "both"})
    assert len(kept_scenes(network)) == 1  # they were trained with `--scene`


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("nano", Variant("fg_bg", "mask")),
        ("scene", Variant("fg_bg", "depth")),
        ("transposed", Variant()),
        ("resunet", Variant("both", "mask")),
    ],
)
def test_every_network_comes_back(name: str, variant: Variant, tmp_path: Path) -> None:
    original = shuffled(create(name, variant))
    network, state = network_of(onnx_file(tmp_path / "a.onnx", name, original, variant))
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(network(*pair), original(*pair), strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or torch.allclose(ours, theirs, atol=EXACT, rtol=EXACT)
    assert Variant(**state["variant"]) == variant
    assert state["scores"] == {"score": 1}
    assert not kept_scenes(network)


@pytest.mark.slow
def test_a_pruned_network_and_its_frozen_scene_come_back(tmp_path: Path) -> None:
    original = shuffled(create("nano"))
    original.scene_depth.keep()  # type: ignore[union-attr, operator]
    pruned = without(original, "encoder.levels.3.0", list(range(16)))
    network, _ = network_of(onnx_file(tmp_path / "a.onnx", "nano", pruned, Variant()))
    assert network.get_submodule("encoder.levels.3.0").out_channels == 48
    assert len(kept_scenes(network)) == 1


def test_a_name_is_the_bundled_network_unless_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    assert locate(Path("small")) == bundled("small")
    (tmp_path / "tiny").touch()
    assert locate(Path("tiny")) == Path("tiny")
    with pytest.raises(EdgeError, match=r"no checkpoint smal; .*bundled networks are nano, small"):
        load(Path("smal"))


def without_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def without_names(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = ""


def with_another_layer(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Abs").op_type = "Relu"


def with_unknown_operator(model: onnx.ModelProto) -> None:
    """ONNX Runtime's own error."""
    node = next(node for node in model.graph.node if node.op_type == "Abs")
    node.op_type, node.domain = "Absolute", "elsewhere"
    model.opset_import.append(onnx.helper.make_opsetid("elsewhere", 1))


def with_nan(model: onnx.ModelProto) -> None:
    weight = next(t for t in model.graph.initializer if t.name == "network.mask.weight")
    weight.raw_data = np.full(weight.dims, np.nan, np.float32).tobytes()


def in_float16(model: onnx.ModelProto) -> None:
    weight = next(t for t in model.graph.initializer if t.name == "network.mask.weight")
    half = np.frombuffer(weight.raw_data, np.float32).reshape(weight.dims).astype(np.float16)
    node = next(n for n in model.graph.node if weight.name in n.input)
    model.graph.initializer.append(onnx.numpy_helper.from_array(half, "half"))
    node.input[1] = "whole"
    cast = onnx.helper.make_node("Cast", ["half"], ["whole"], "cast_half", to=1)
    model.graph.node.insert(0, cast)


def with_metadata(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        next(entry for entry in model.metadata_props if entry.key == key).value = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_metadata, "its metadata do not say how it was trained"),
        (without_names, "it does not hold 'nano' .no layer encoder.levels.0.0"),
        (with_another_layer, "nano with its weights gives results .* apart"),
        (with_nan, "nano with its weights gives results nan apart"),
        (in_float16, "mask has no float32 weights"),
        (with_metadata("name", "wide"), "unknown network 'wide'"),
        (with_metadata("name", "resunet"), "it does not hold 'resunet'"),
        (with_metadata("training", "{"), "it does not hold 'nano'"),
        (with_metadata("training", "[]"), "it does not hold 'nano'"),
        (with_unknown_operator, "it does not hold 'nano'"),
    ],
)
def test_foreign_and_changed_files_are_refused(
    change: Callable[[onnx.ModelProto], None], told: str, tmp_path: Path
) -> None:
    model = onnx.load(bundled("nano"))
    change(model)
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(
        EdgeError, match=rf"foreign\.onnx is not as `edge export` writes it: .*{told}"
    ) as e:
        load(tmp_path / "foreign.onnx")
    assert "\n" not in str(e.value)
    assert "give a bundled network (nano, small, tiny)" in str(e.value)


@pytest.mark.parametrize("size", [0, 100_000])
def test_a_damaged_file_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "half.onnx").write_bytes(bundled("nano").read_bytes()[:size])
    with pytest.raises(EdgeError, match=r"half\.onnx is not an ONNX network: "):
        load(tmp_path / "half.onnx")
