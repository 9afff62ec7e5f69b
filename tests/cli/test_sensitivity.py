from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from edge.bundled import bundled

from ..command import edge

QUICK = ["--imgsz", "64", "--calib-samples", "4", "--target", "openvino"]


@pytest.mark.slow
def test_every_layer_has_a_cost_and_a_saving_and_a_run_goes_on(tmp_path: Path) -> None:
    quick = [*QUICK[:-1], "onnxruntime"]
    words = ["sensitivity", *quick, "--samples", "rendered:4:9", "--json"]
    done = edge(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    layers = json.loads(done.stdout)["layers"]
    assert len(layers) == 13
    assert all({"drop_iou", "drop_delta1", "saves_ms"} <= row.keys() for row in layers)
    file = tmp_path / "sensitivity.json"
    raw = json.loads(file.read_text())
    first, *_, last = raw["drops"]
    raw["drops"][first] = {"iou": 0.77, "delta1": 0.0}
    del raw["drops"][last]  # as if killed before the last layer
    file.write_text(json.dumps(raw))
    again = json.loads(edge(*words, cwd=tmp_path).stdout)["layers"]
    assert again[0]["layer"] == first
    assert again[0]["drop_iou"] == 0.77
    assert len(again) == 13
    drops = [{row["layer"]: row["drop_iou"] for row in rows} for rows in (layers, again)]
    assert {**drops[0], first: 0.77} == drops[1]
    other = edge(*words[:-3], "--samples", "rendered:4:8", cwd=tmp_path)
    assert other.returncode == 2
    assert "results for another samples, calibrated_on; remove it" in other.stderr
    file.write_text("[1]")
    assert "is not a file of `edge sensitivity`" in edge(*words, cwd=tmp_path).stderr


def uneven(file: Path) -> None:
    """The bundled network with one channel before its heads 300 times as large and read 1/300 as
    much: the same in float, and in int8 little is left of the other channels."""
    model = onnx.load(bundled("small"))
    values = {one.name: one for one in model.graph.initializer}
    layers = {n.input[1]: n for n in model.graph.node if n.op_type == "Conv"}
    for name in layers["network.refine_quarter.0.weight"].input[1:]:
        value = numpy_helper.to_array(values[name]).copy()
        value[0] *= 300
        values[name].CopyFrom(numpy_helper.from_array(value, name))
    for name in ("network.mask.weight", "network.depth.weight"):
        value = numpy_helper.to_array(values[name]).copy()
        value[:, 0] /= 300
        values[name].CopyFrom(numpy_helper.from_array(value, name))
    onnx.save(model, file)


@pytest.mark.slow
def test_max_drop_keeps_layers_in_float_and_says_which(tmp_path: Path) -> None:
    """Nothing may be lost: TensorRT-RTX's own plan shows what stayed in float for it."""
    pytest.importorskip("tensorrt_rtx")
    uneven(tmp_path / "uneven.onnx")
    words = ["build", "uneven.onnx", "--imgsz", "64", "--calib-samples", "4"]
    words += ["--samples", "rendered:4", "--target", "tensorrt-rtx", "--sm", "86"]
    words += ["--max-drop", "0", "--json"]
    done = edge(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    manifest = json.loads((tmp_path / built["path"] / "manifest.json").read_text())
    kept = manifest["calibration"]["kept_in_float"]
    assert 0 < len(kept) <= 13
    assert built["int8_layers"] == built["layers"] - len(kept)
    assert f"{len(kept)} of 13 layers stay in float" in done.stderr
    assert "--max-drop 0" in manifest["command"]


@pytest.mark.slow
def test_where_int8_leaves_fp32(tmp_path: Path) -> None:
    words = ["--precision", "int8", *QUICK, "--out", "made"]
    assert edge("build", *words, cwd=tmp_path).returncode == 0
    done = edge("compare", "--layers", "made", "--samples", "rendered:4:9", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the error grows most here") == 1
    assert (tmp_path / "layers.png").stat().st_size > 10_000
    shaped = edge("build", *words[:-1], "other", "--upsample", "depth_to_space", cwd=tmp_path)
    assert shaped.returncode == 0, shaped.stderr
    found = edge(
        "compare", "--layers", "other", "--samples", "rendered:4:9", "--json", cwd=tmp_path
    )
    ops = {row["op"] for row in json.loads(found.stdout)["layers"]}
    assert "Conv" in ops
    float32 = ["--precision", "fp32", "--imgsz", "64", "--target", "openvino", "--out", "float"]
    assert edge("build", *float32, cwd=tmp_path).returncode == 0
    for wrong, said in (
        (["--layers", "float"], "fp32; --layers is about an int8 build"),
        (["--layers", "made", "float"], "takes one build"),
        (["made"], "expected two report.json, or --layers and a build"),
    ):
        refused = edge("compare", *wrong, cwd=tmp_path)
        assert refused.returncode == 2
        assert said in refused.stderr
    refused = edge("build", *QUICK, "--upsample", "resize", cwd=tmp_path)
    assert refused.returncode == 2
    assert "known are convtranspose, depth_to_space" in refused.stderr
