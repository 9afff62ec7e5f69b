"""`edge build --scene-depth`: another network gives the depth of the scene."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import edge
from edge import manifest as manifests
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.cli.app import app
from edge.errors import EdgeError, UsageError
from edge.graph.resize import image_size
from edge.image import fit
from edge.manifest import sha256
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import Sample
from tests.edge.graph.depth_networks import expected, save_network

FORMAT = ("--scene-depth-format", "0..255,inverse")


def build(*words: object) -> str:
    """The output of a build; what it raises is raised."""
    arguments = ["build", *map(str, words)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).output


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_build_with_it(
    target: str, network: onnx.ModelProto, samples: list[Sample], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "mine.onnx")
    file = save_network(tmp_path / "far.onnx")
    words = ("mine.onnx", "--target", target, "--samples", "rendered:4", "--calib-samples", 4)
    build(*words, "--scene-depth", file, *FORMAT)
    place = Path("build") / f"mine-far-int8-{target}-64x64"
    manifest = manifests.read(place)
    assert manifest.model["scene_depth_file"] == "far.onnx"
    assert manifest.model["scene_depth_sha256"] == sha256(file)
    assert manifest.model["scene_depth_format"] == "0..255,inverse"
    assert f"--scene-depth {file} --scene-depth-format 0..255,inverse" in manifest.command
    assert manifest.int8_layers
    sample = samples[0]
    with edge.open(place, threads=1) as h:
        edge.set_background(h, sample.bg)
        scene = edge.scene_depth(h)
        mask, depth = edge.infer(h, sample.fg_bg)
    assert mask is not None and depth is not None
    assert np.abs(scene - expected(sample.bg)).max() < 1e-3
    assert np.abs(depth - scene)[mask < 1e-3].max() < 0.01
    shown = CliRunner().invoke(app, ["inspect", str(place)]).output
    assert f"far.onnx, sha256 {sha256(file)[:12]}..., 0..255,inverse" in shown


def test_ranges_recorded_with_it_are_of_builds_with_it(
    network: onnx.ModelProto, tmp_path: Path
) -> None:
    onnx.save(network, tmp_path / "mine.onnx")
    far = ("--scene-depth", save_network(tmp_path / "far.onnx"), *FORMAT)
    words = (tmp_path / "mine.onnx", "--samples", "rendered:4", "--calib-samples", 4)
    ranges = tmp_path / "ranges.json"
    arguments = ["calibrate", *map(str, (*words, *far, "--out", ranges))]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    words = (*words, "--target", "onnxruntime", "--ranges", ranges, "--out", tmp_path / "out")
    with pytest.raises(EdgeError, match="ranges"):
        build(*words)
    build(*words, *far)
    assert manifests.read(tmp_path / "out").model["scene_depth_file"] == "far.onnx"


@pytest.mark.parametrize("target", ["tensorrt", "tensorrt-rtx"])
def test_the_graphs_for_a_gpu_hold_it(
    target: str, network: onnx.ModelProto, tmp_path: Path
) -> None:
    onnx.save(network, tmp_path / "mine.onnx")
    words = (tmp_path / "mine.onnx", "--target", target, "--precision", "fp16", "--graphs-only")
    out = tmp_path / "out"
    file = save_network(tmp_path / "far.onnx", metadata={"scene_depth_format": FORMAT[1]})
    build(*words, "--scene-depth", file, "--out", out)
    background = onnx.load(out / "background.onnx")
    assert "scene_depth" in {value.name for value in background.graph.output}
    assert any(node.name.startswith("depth_network.") for node in background.graph.node)
    assert image_size(onnx.load(out / "network.onnx")) == (64, 64)


def test_a_network_that_knows_no_scene_is_refused(network: onnx.ModelProto, tmp_path: Path) -> None:
    typed = onnx.shape_inference.infer_shapes(network)
    inputs = [value.name for value in typed.graph.input]
    mask = onnx.utils.Extractor(typed).extract_model(inputs, ["mask"])
    onnx.save(mask, tmp_path / "mask.onnx")
    file = save_network(tmp_path / "far.onnx")
    words = (tmp_path / "mask.onnx", "--target", "onnxruntime", "--precision", "fp32")
    found = "the network computes no depth of the scene that --scene-depth could replace"
    with pytest.raises(UsageError, match=found):
        build(*words, "--scene-depth", file, *FORMAT, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_without_effect_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="--scene-depth-format has no effect without --scene-depth"
    ):
        build(*FORMAT)
    with pytest.raises(UsageError, match="has no effect without --scene-depth"):
        CliRunner().invoke(app, ["calibrate", *FORMAT], catch_exceptions=False)
    with pytest.raises(UsageError, match="does not say how its input is normalised"):
        build("--scene-depth", save_network(tmp_path / "d.onnx"))


def test_a_build_of_an_earlier_version(
    plan: Callable[..., Plan], samples: list[Sample], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its depth of the scene had the name that an exporter gave it. It runs, and is compared."""
    monkeypatch.chdir(tmp_path)
    write_build(plan("onnxruntime", "int8"), tmp_path / "old")
    for name in ("frame.onnx", "background.onnx"):
        model = onnx.load(tmp_path / "old" / name)
        for node in model.graph.node:
            node.input[:] = ["view_3" if n == "scene_depth" else n for n in node.input]
            node.output[:] = ["view_3" if n == "scene_depth" else n for n in node.output]
        for value in (*model.graph.input, *model.graph.output):
            value.name = "view_3" if value.name == "scene_depth" else value.name
        onnx.save(model, tmp_path / "old" / name)
    document = json.loads((tmp_path / "old" / "manifest.json").read_text())
    for tensor in document["scene"]:
        tensor["name"] = "view_3" if tensor["name"] == "scene_depth" else tensor["name"]
    document["files"] = {name: sha256(tmp_path / "old" / name) for name in document["files"]}
    (tmp_path / "old" / "manifest.json").write_text(json.dumps(document))
    with edge.open(tmp_path / "old", threads=1) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[0].fg_bg)
        assert mask is not None and mask.max() > 0.5
        with pytest.raises(EdgeError, match="or an earlier version built it"):
            edge.scene_depth(h)
    words = ["compare", "--layers", "old", "--samples", "rendered:2", "--json"]
    output = CliRunner().invoke(app, words, catch_exceptions=False).output
    assert json.loads(output.splitlines()[-1])["layers"]


def test_a_real_depth_network(
    shared: Path, network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    """The scene is as deep as the teacher says, up to how each of them makes a picture smaller."""
    (file,) = (shared / "models" / "depth_teacher").glob("*.onnx")
    onnx.save(network, tmp_path / "mine.onnx")
    words = (tmp_path / "mine.onnx", "--target", "openvino", "--precision", "fp32", "--json")
    output = build(
        *words, "--imgsz", "320x192", "--scene-depth", file, *FORMAT, "--out", tmp_path / "out"
    )
    teacher = DepthTeacher(file)
    with edge.open(tmp_path / "out", threads=1) as h:
        for sample in (samples[0], samples[-1]):
            bg = fit(h, sample.bg)
            edge.set_background(h, bg)
            true = teacher(bg)
            true = (true - true.min()) / np.ptp(true)
            assert np.abs(edge.scene_depth(h) - true).max() < 1e-3
    assert json.loads(output.splitlines()[-1])["imgsz"] == [192, 320]
