"""Peers in the same run: that they find what they should, and that a foreign file is timed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.benchmarks.measuring.bench import Settings, bench
from edge.benchmarks.peers import PeerRequest, peer_jobs
from edge.benchmarks.peers.onnx_file import OnnxJob
from edge.benchmarks.peers.subtractor import SUBTRACTORS
from edge.benchmarks.reporting.chart import BUILD, LEFT, PEER, WIDTH, chart
from edge.benchmarks.reporting.markdown import markdown
from edge.benchmarks.reporting.report import Report
from edge.benchmarks.reporting.table import plain
from edge.calibrate.rendering.samples import Rendered
from edge.errors import EdgeError, UsageError

from ..conftest import progress

Builds = Callable[[str, str], Path]
SETTINGS = Settings("rendered:4:4", 4, threads=1, warmup=0.0, duration=0.0, iterations=66)
NAMES = ("absdiff", "knn", "mog2")


def model(path: Path, shape: list[int], kind: int = TensorProto.FLOAT) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["same"])],
        "foreign",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("same", kind, shape)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def report(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Report:
    foreign = model(tmp_path_factory.mktemp("peer") / "foreign.onnx", [1, 3, 32, 48])
    settings = replace(SETTINGS, peers=True, peer_files=(foreign,), gate=5.0, overhead=True)
    return bench([builds("openvino", "int8")], settings, progress).report


def test_every_file_registers_its_peer(tmp_path: Path) -> None:
    jobs = list(peer_jobs(PeerRequest(True, (), ((48, 64),), 1, tmp_path)))
    assert tuple(sorted(SUBTRACTORS)) == NAMES
    assert len(jobs) == len(NAMES)
    assert list(peer_jobs(PeerRequest(False, (), ((48, 64),), 1, tmp_path))) == []


def test_peers_stand_beside_the_builds(report: Report) -> None:
    peers = {peer.name: peer for peer in report.peers or ()}
    for name in NAMES:
        for size in ("640x480", "64x64"):
            mask = peers[f"{name}-{size}"].mask
            assert mask and mask.f_measure is not None and 0 <= mask.f_measure <= 1
    runs = [name for name in peers if name.startswith("foreign")]
    assert len(runs) == 3
    assert all(peers[name].imgsz == (32, 48) and peers[name].mask is None for name in runs)
    assert all(peer.latency_ms.n >= 66 for peer in peers.values())


def test_a_larger_image_takes_a_subtractor_longer(report: Report) -> None:
    """75 times the pixels: a ratio that no disturbance of the machine turns round."""
    times = {peer.name: peer.latency_ms.p50 for peer in report.peers or ()}
    assert times["mog2-640x480"] > 3 * times["mog2-64x64"]  # type: ignore[operator]


def test_the_report_shows_peers_gate_and_overhead(report: Report) -> None:
    assert "mog2-640x480" in plain(report)
    page = markdown(report, "edge bench --peers")
    assert "peers.png" in page
    assert "behind a gate of 5 grey levels" in page
    gate, cost = report.builds[0].gate, report.builds[0].overhead
    assert gate and 0 <= gate.skipped_share <= 1
    assert gate.level == 5
    assert cost and cost.share == pytest.approx(cost.infer_ms / cost.backend_ms - 1)
    assert "us or" in page


def test_bars_are_as_long_as_the_times(report: Report) -> None:
    image = chart(report)
    colours = [np.array(colour) for colour in (BUILD, PEER)]
    lengths = sorted(
        max(int((row[LEFT:] == colour).all(1).sum()) for colour in colours) for row in image[45::26]
    )
    entries = [*report.folded, *(report.peers or ())]
    times = sorted(e.latency_ms.p50 for e in entries if e.latency_ms.p50 is not None)
    assert len(lengths) == len(times)
    expected = [max(1, WIDTH * time / times[-1]) for time in times]
    assert lengths == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_subtractor_finds_a_square(name: str, tmp_path: Path) -> None:
    list(peer_jobs(PeerRequest(True, (), (), 1, tmp_path)))
    subtractor = SUBTRACTORS[name]()
    bg = np.full((60, 80, 3), 90, np.uint8)
    subtractor.learn(bg)
    frame = bg.copy()
    frame[20:40, 30:50] = 220
    mask = subtractor.apply(frame)
    assert (mask[22:38, 32:48] == 255).all()
    mask[17:43, 27:53] = 0
    assert not (mask == 255).any()


def test_what_takes_no_image_is_refused(tmp_path: Path) -> None:
    samples = tmp_path / "samples"
    samples.write_bytes(pickle.dumps([("a", Rendered(1, (48, 64))[0])]))
    vector = model(tmp_path / "vector.onnx", [1, 7])
    with pytest.raises(UsageError, match=r"no input takes an image; found image \[1, 7\]"):
        OnnxJob(vector, "onnxruntime", "fp32", 1, samples).open()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(EdgeError, match="cannot load it"):
            OnnxJob(broken, runtime, "fp32", 1, samples).open()


def test_a_missing_file_is_refused(builds: Builds, tmp_path: Path) -> None:
    settings = replace(SETTINGS, peer_files=(tmp_path / "none.onnx",))
    with pytest.raises(UsageError, match=r"none\.onnx: no such file"):
        bench([builds("openvino", "int8")], settings, progress)
