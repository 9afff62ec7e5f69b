from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import edge
from edge.bundled import bundled
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import EdgeError
from edge.graph import profile
from edge.graph.fold import split
from edge.graph.resize import resize_network
from edge.samples.sample import Sample, resize_sample
from edge.train.checkpoint import network_of, save
from edge.train.export import TOLERANCE, difference, export
from edge.train.networks import create, variant_of
from edge.train.networks.variant import Variant


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights and BatchNorm statistics that are not the identity."""
    torch.manual_seed(3)
    network = create("nano")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    path = tmp_path_factory.mktemp("run") / "best.pt"
    save({"network": "nano", "weights": network.state_dict(), "recipe": {}, "scores": {}}, path)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> onnx.ModelProto:
    return export(checkpoint, 64, 64)


def layer_names(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]


def test_layers_are_named_after_modules(exported: onnx.ModelProto, checkpoint: Path) -> None:
    """The weights of a layer in the graph are those of the module of its name, which follows from
    their shapes: the name of a further call ends with its number."""
    network, _ = network_of(checkpoint)
    names = layer_names(exported)
    modules = {name.removesuffix("_2") for name in names}
    with_weights = {
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    }
    assert modules <= with_weights
    assert len({node.name for node in exported.graph.node}) == len(exported.graph.node)
    shapes = {tensor.name: list(tensor.dims) for tensor in exported.graph.initializer}
    for node in exported.graph.node:
        if node.name in names:
            module = network.get_submodule(node.name.removesuffix("_2"))
            assert shapes[node.input[1]] == list(module.weight.shape), node.name


@pytest.mark.parametrize("name", ["nano", "tiny", "small"])
def test_layers_of_the_bundled_networks_too(name: str) -> None:
    known = {module for module, _ in create(name, variant_of(name)).named_modules()}
    names = layer_names(onnx.load(bundled(name)))
    assert {"encoder.levels.0.0", "up_quarter.0", "mask", "depth"} <= set(names)
    assert all(layer.removesuffix("_2") in known for layer in names)


def test_the_contract(exported: onnx.ModelProto) -> None:
    found = {
        value.name: (
            value.type.tensor_type.elem_type,
            [d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (*exported.graph.input, *exported.graph.output)
    }
    picture, plane = (
        (onnx.TensorProto.UINT8, [1, 64, 64, 3]),
        (onnx.TensorProto.FLOAT, [1, 1, 64, 64]),
    )
    assert found == {"bg": picture, "fg_bg": picture, "mask": plane, "depth": plane}
    said = {p.key: p.value for p in exported.metadata_props}
    assert said["colour_order"] == "BGR"
    assert "near is large" in said["depth_meaning"]
    assert {"name", "version", "git_commit", "training", "metrics", "stride"} <= said.keys()


def test_it_computes_what_torch_computes(
    exported: onnx.ModelProto, checkpoint: Path, samples: list[Sample]
) -> None:
    assert difference(exported, checkpoint, samples[:3]) < TOLERANCE


@pytest.mark.slow
def test_the_command_says_how_exact_it_is_and_nothing_else(
    checkpoint: Path, tmp_path: Path
) -> None:
    words = ["export", str(checkpoint), "--out", str(tmp_path / "mine.onnx")]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{tmp_path / 'mine.onnx'}\n"
    assert re.fullmatch(r"largest difference from torch: \S+ \(allowed 1e-04\)\n", done.stderr)


def test_a_changed_weight_shows(
    exported: onnx.ModelProto, checkpoint: Path, samples: list[Sample]
) -> None:
    other = onnx.ModelProto.FromString(exported.SerializeToString())
    weight = next(w for w in other.graph.initializer if w.name == "network.mask.weight")
    values = np.frombuffer(weight.raw_data, np.float32) * np.float32(1.3)
    weight.raw_data = values.tobytes()
    assert difference(other, checkpoint, samples[:3]) > TOLERANCE


def test_a_graph_that_gives_nan_is_not_equal(
    exported: onnx.ModelProto, checkpoint: Path, samples: list[Sample]
) -> None:
    other = onnx.ModelProto.FromString(exported.SerializeToString())
    bias = next(w for w in other.graph.initializer if w.name == "network.mask.bias")
    bias.raw_data = np.full(bias.dims, np.nan, np.float32).tobytes()
    assert not difference(other, checkpoint, samples[:2]) <= TOLERANCE


def test_batch_norm_is_gone_and_the_background_folds(exported: onnx.ModelProto) -> None:
    assert "BatchNormalization" not in {node.op_type for node in exported.graph.node}
    assert split(exported).scene


def test_a_size_that_does_not_divide_is_refused(checkpoint: Path) -> None:
    with pytest.raises(EdgeError, match="width and height must be multiples of 16"):
        export(checkpoint, 100, 64)


def test_resizing_the_graph_is_exporting_at_that_size(
    exported: onnx.ModelProto, checkpoint: Path, samples: list[Sample]
) -> None:
    """torch at the other size is the reference."""
    taller = [resize_sample(sample, 96, 64) for sample in samples[:2]]
    assert difference(resize_network(exported, 96, 64), checkpoint, taller) < TOLERANCE


@pytest.mark.slow
def test_an_export_is_the_export_at_another_size_resized(
    exported: onnx.ModelProto, checkpoint: Path, samples: list[Sample]
) -> None:
    """At 112, which is no multiple of 32, the stride of the scene's depth."""
    resized = resize_network(exported, 112, 112)
    small = export(checkpoint, 112, 112)
    assert profile.macs(small) == profile.macs(resized)
    options = {"providers": ["CPUExecutionProvider"]}
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), **options)
        for model in (small, resized)
    ]
    for sample in samples[:2]:
        at_112 = resize_sample(sample, 112, 112)
        images = {"bg": at_112.bg[None], "fg_bg": at_112.fg_bg[None]}
        for a, b in zip(*(s.run(["mask", "depth"], images) for s in sessions), strict=True):
            assert np.abs(a - b).max() < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "inputs", "outputs"),
    [
        (Variant("fg_bg", "both"), ["fg_bg"], ["mask", "depth"]),
        (Variant("both", "mask"), ["bg", "fg_bg"], ["mask"]),
        (Variant("both", "depth"), ["bg", "fg_bg"], ["depth"]),
    ],
)
def test_a_variant_has_only_its_own_inputs_and_outputs(
    variant: Variant, inputs: list[str], outputs: list[str], tmp_path: Path, samples: list[Sample]
) -> None:
    """Down to what a build of it gives."""
    path = tmp_path / "best.pt"
    network = create("nano", variant)
    state = {"network": "nano", "weights": network.state_dict(), "recipe": {}, "scores": {}}
    save(state | {"variant": asdict(variant)}, path)
    model = export(path, 64, 64)
    assert [value.name for value in model.graph.input] == inputs
    assert [value.name for value in model.graph.output] == outputs
    assert difference(model, path, samples[:2]) < TOLERANCE
    build(BuildRequest(target="onnxruntime"), tmp_path / "build", network=model, samples=samples)
    with edge.open(tmp_path / "build", threads=1) as h:
        edge.set_background(h, samples[0].bg)
        mask, depth = edge.infer(h, samples[0].fg_bg)
    assert (mask is not None, depth is not None) == ("mask" in outputs, "depth" in outputs)


def test_the_commit_is_that_of_our_own_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.train import export as module

    other = tmp_path / "site-packages" / "train" / "export.py"
    other.parent.mkdir(parents=True)
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True)
    monkeypatch.setattr(module, "__file__", str(other))
    assert module._commit() == "unknown"
    monkeypatch.setattr(module, "__file__", str(tmp_path / "train" / "export.py"))
    assert len(module._commit()) >= 7
    monkeypatch.setenv("PATH", "")
    assert module._commit() == "unknown"
