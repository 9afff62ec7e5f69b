"""Peers in the same run: that they see what they should, and that a foreign file is timed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.benchmarks.measuring.run import Settings, bench
from edge.benchmarks.peers.peers import SUBTRACTORS, OnnxJob
from edge.benchmarks.reporting.chart import chart
from edge.benchmarks.reporting.table import markdown, plain
from edge.errors import EdgeError, UsageError

SETTINGS = Settings("rendered:4:4", 4, threads=1, warmup=0.0, duration=0.0, iterations=66)


def watch(what: str, done: int, total: int) -> None:
    pass


def model(path: Path, shape: list[int], kind: int = TensorProto.FLOAT) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["picture"], ["same"])],
        "foreign",
        [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info("same", kind, shape)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def report(builds, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    foreign = model(tmp_path_factory.mktemp("peer") / "foreign.onnx", [1, 3, 32, 48])
    settings = replace(SETTINGS, peers=True, peer_files=(foreign,), gate=5.0, overhead=True)
    return bench([builds("openvino", "int8")], settings, watch).report


def test_peers_stand_beside_the_builds(report: dict[str, Any]) -> None:
    json.dumps(report)
    peers = {peer["name"]: peer for peer in report["peers"]}
    for name in SUBTRACTORS:
        for size in ("640x480", "64x64"):
            assert 0 <= peers[f"{name}-{size}"]["mask"]["f_measure"] <= 1
    runs = [name for name in peers if name.startswith("foreign")]
    assert len(runs) == 3
    assert all(peers[name]["imgsz"] == [32, 48] and "mask" not in peers[name] for name in runs)
    assert all(peer["latency_ms"]["n"] >= 66 for peer in peers.values())


def test_a_larger_picture_takes_a_subtractor_longer(report: dict[str, Any]) -> None:
    """75 times the pixels: a ratio that no disturbance of the machine turns round."""
    times = {peer["name"]: peer["latency_ms"]["p50"] for peer in report["peers"]}
    assert times["mog2-640x480"] > 3 * times["mog2-64x64"]


def test_the_report_shows_peers_and_gate(report: dict[str, Any]) -> None:
    assert "mog2-640x480" in plain(report)
    page = markdown(report, "edge bench --peers")
    assert "peers.png" in page
    assert "behind a gate of 5 grey levels" in page
    gate = report["builds"][0]["gate"]
    assert 0 <= gate["skipped_share"] <= 1
    assert gate["level"] == 5
    cost = report["builds"][0]["overhead"]
    assert cost["share"] == pytest.approx(cost["infer_ms"] / cost["backend_ms"] - 1)
    assert "us or" in page
    picture = chart(report)
    assert (picture != 255).mean() > 0.02


@pytest.mark.parametrize("name", SUBTRACTORS)
def test_a_subtractor_finds_a_square(name: str) -> None:
    peer = SUBTRACTORS[name]()
    bg = np.full((60, 80, 3), 90, np.uint8)
    peer.learn(bg)
    frame = bg.copy()
    frame[20:40, 30:50] = 220
    mask = peer.apply(frame)
    assert (mask[22:38, 32:48] == 255).all()
    mask[17:43, 27:53] = 0
    assert not (mask == 255).any()


def test_what_takes_no_picture_is_refused(tmp_path: Path) -> None:
    import pickle

    from edge.calibrate.rendering.samples import Rendered

    samples = tmp_path / "samples"
    samples.write_bytes(pickle.dumps([("a", Rendered(1, (48, 64))[0])]))
    vector = model(tmp_path / "vector.onnx", [1, 7])
    with pytest.raises(UsageError, match=r"no input takes a picture; found picture \[1, 7\]"):
        OnnxJob(vector, "onnxruntime", "fp32", 1, samples).open()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(EdgeError, match="cannot load it"):
            OnnxJob(broken, runtime, "fp32", 1, samples).open()


def test_a_missing_file_is_refused_before_anything_runs(builds, tmp_path: Path) -> None:
    settings = replace(SETTINGS, peer_files=(tmp_path / "none.onnx",))
    with pytest.raises(UsageError, match=r"none\.onnx: no such file"):
        bench([builds("openvino", "int8")], settings, watch)
