"""The benchmark on real builds: what is in the report, and that it can see a loss."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import edge
from edge import manifest as manifests
from edge.benchmarks.measuring import pace as pace_module
from edge.benchmarks.measuring.bench import Outcome, bench
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.overhead import stages
from edge.benchmarks.measuring.pace import paced
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.compare import compare
from edge.benchmarks.reporting.gates import all_losses
from edge.benchmarks.reporting.markdown import markdown
from edge.benchmarks.reporting.notes import compute_notes, headline
from edge.benchmarks.reporting.report import LatencySummary, Report
from edge.benchmarks.reporting.table import plain, rows
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.rendering.samples import Rendered
from edge.errors import BuildMismatch, EdgeError
from edge.samples.sample import Sample

from ...conftest import SETTINGS
from ..conftest import progress
from .clock import Clock

QUICK = replace(SETTINGS, iterations=11)

Builds = Callable[[str, str], Path]


def test_fp32_stands_beside_every_build(report: Report) -> None:
    folded = [(e.target, e.precision) for e in report.folded]
    assert folded == [
        ("openvino", "fp32"),
        ("openvino", "int8"),
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
    ]
    assert [e.folded for e in report.builds] == [True] * 4 + [False] * 4
    for entry in report.folded:
        if entry.precision == "fp32":
            assert entry.drop.mask and not any(vars(entry.drop.mask).values())
            assert entry.drop.depth and not any(vars(entry.drop.depth).values())


def test_the_report_has_the_keys_that_people_rely_on(report: Report) -> None:
    raw = json.loads(json.dumps(report.to_json()))
    assert list(raw) == ["schema", "machine", "samples", "method", "watch", "builds"]
    assert raw["samples"]["count"] == 6 and raw["samples"]["depth"] == "truth"
    for entry in raw["builds"]:
        for name in ("latency_ms", "preprocess_ms", "postprocess_ms", "end_to_end_ms"):
            assert set(entry[name]) == {field.name for field in fields(LatencySummary)}
        assert set(entry["mask"]) == {"iou", "f_measure", "precision", "recall"}
        assert set(entry["depth"]) == {"abs_rel", "rmse", "delta1"}
        assert entry["end_to_end_ms"]["mean"] >= entry["latency_ms"]["mean"]
        assert entry["rss_peak_mb"] > 10
        assert {"params", "macs", "size_mb", "layers", "int8_layers", "drop"} <= set(entry)
    folded = raw["builds"][0]
    assert folded["latency_ms"]["n"] == 70
    assert folded["latency_ms"]["p90"] is not None
    assert folded["latency_ms"]["p99"] is None  # 70 samples say nothing about it
    assert 0 <= folded["flicker"] < 0.2
    assert Report.from_json(raw) == report


def test_every_timed_frame_is_in_the_samples(outcome: Outcome) -> None:
    for entry in outcome.report.builds:
        frames = [f for f in outcome.frames if (f.name, f.folded) == (entry.name, entry.folded)]
        assert len(frames) == entry.latency_ms.n == entry.postprocess_ms.n
        median = np.median([frame.latency_ms for frame in frames])
        assert entry.latency_ms.p50 == pytest.approx(median, abs=1e-3)


def test_a_start_and_a_cameras_pace_are_measured_too(report: Report) -> None:
    for entry in report.folded:
        cold, pace = entry.cold, entry.paced
        assert cold is not None
        assert cold.open_ms > 0 and cold.background_ms > 0 and cold.first_ms > 0
        assert pace is not None and pace.fps == 30
        assert pace.fps_paced <= 30.01
        assert pace.end_to_end_ms.n + pace.dropped_frames == 15
    assert all(entry.cold is None is entry.paced for entry in report.builds if not entry.folded)


@pytest.mark.parametrize("fps", [1e5, 4.0])
def test_a_pace_that_cannot_be_kept_shows(
    fps: float, builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of which a frame takes two milliseconds."""
    monkeypatch.setattr(pace_module, "time", Clock())
    samples = tmp_path / "samples.pickle"
    rendered = Rendered(2, (64, 64), seed=5)
    samples.write_bytes(pickle.dumps([("a", rendered[0]), ("a", rendered[1])]))
    worker = BuildJob(builds("openvino", "int8"), True, 1, samples, tmp_path).open()
    pace = paced(worker, fps, 200 if fps > 100 else 3)
    edge.close(worker.h)
    if fps > 100:
        assert pace.deadline_misses > 0
        assert pace.dropped_frames > 0
        assert pace.fps_paced < fps / 2
        assert pace.end_to_end_ms.n + pace.dropped_frames == 200
    else:
        assert (pace.deadline_misses, pace.dropped_frames) == (0, 0)
        assert pace.fps_paced == pytest.approx(4, rel=0.01)


def test_folding_changes_no_score_of_fp32(report: Report) -> None:
    for folded in report.builds[:4]:
        for other in report.builds[4:]:
            if (folded.name, folded.precision) == (other.name, "fp32"):
                for a, b in ((folded.mask, other.mask), (folded.depth, other.depth)):
                    assert vars(a) == pytest.approx(vars(b), abs=1e-4)


def _with_moved_bias(network: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with the mask's last bias moved: it masks everything."""
    moved = onnx.ModelProto.FromString(network.SerializeToString())
    bias = next(w for w in moved.graph.initializer if w.name.endswith("mask.bias"))
    values = numpy_helper.to_array(bias) + np.float32(20)
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    return moved


def test_a_broken_engine_shows_as_a_loss(plan: Callable[..., Plan], tmp_path: Path) -> None:
    good = plan("onnxruntime", "fp32")
    frame = _with_moved_bias(good.frame)
    write_build(replace(good, frame=frame, precision="fp16"), tmp_path / "broken")
    report = bench([tmp_path / "broken"], QUICK, progress).report
    lost, name, _ = max(all_losses(report))
    assert lost > 0.1
    assert "fp16" in name
    fp32, fp16 = report.folded
    assert fp32.mask and fp16.mask and fp16.drop.mask and fp32.mask.iou and fp16.mask.iou
    assert fp16.drop.mask.iou == pytest.approx(fp32.mask.iou - fp16.mask.iou, abs=1e-5)


def test_networks_of_one_name_are_each_compared_with_their_own(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """Yesterday's network beside today's: what `edge compare` asks for."""
    new = plan("onnxruntime", "fp16")
    request = BuildRequest(network=new.network, target="onnxruntime", precision="fp16")
    places = [tmp_path / "old", tmp_path / "new"]
    pipeline.build(request, places[0], network=_with_moved_bias(new.source))
    write_build(new, places[1])
    outcome = bench(places, QUICK, progress)
    report = outcome.report
    entries = {entry.name: entry for entry in report.folded}
    before, after = map(str, places)
    names = [f"net-fp32-onnxruntime-64x64 of {before}", before]
    assert list(entries) == [*names, f"net-fp32-onnxruntime-64x64 of {after}", after]
    for entry in entries.values():
        assert entry.drop.mask and abs(entry.drop.mask.iou or 0.0) < 0.01
    assert report.reference_of(entries[before]).name == names[0]
    assert report.reference_of(entries[after]).name == f"net-fp32-onnxruntime-64x64 of {after}"
    old_mask, new_mask = entries[before].mask, entries[after].mask
    assert old_mask and new_mask and old_mask.iou < 0.5 < new_mask.iou  # type: ignore[operator]
    assert headline(report).startswith(f"{after} runs ")
    assert {frame.name for frame in outcome.frames} == set(entries)


def test_a_background_is_neither_time_nor_energy_of_a_frame(
    builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tmp_path / "samples"
    scenes = Rendered(2)
    samples.write_bytes(pickle.dumps([("a", scenes[0]), ("b", scenes[1])]))
    worker = BuildJob(builds("onnxruntime", "fp32"), True, 1, samples, tmp_path).open()
    counter, calls = [0.0], []
    worker.meters = {"meter": lambda: counter[0]}
    worker.joules = {"meter": 0.0}
    set_background, infer = edge.set_background, edge.infer

    def background(h: Any, bg: Any, spread: Any) -> None:
        counter[0] += 1000
        calls.append("background")
        set_background(h, bg, spread)

    def frame(h: Any, fg_bg: Any) -> Any:
        counter[0] += 2
        calls.append("frame")
        return infer(h, fg_bg)

    monkeypatch.setattr(edge, "set_background", background)
    monkeypatch.setattr(edge, "infer", frame)
    for count in (4, 146):  # within a scene and over the borders of two
        assert len(worker.frames(count).latency) == count
    runs = [(call, len(list(group))) for call, group in groupby(calls)]
    assert runs == [("background", 1), ("frame", 64)] * 2 + [("background", 1), ("frame", 22)]
    assert worker.energy()["meter"].mj_a_frame == 2000


def _sequence(folder: Path, samples: list[Sample], foreground: bool) -> Path:
    """Samples as a labelled sequence on disk, which has no depth."""
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "bg.png"), samples[0].bg)
    for number, sample in enumerate(samples):
        image, mask = (sample.fg_bg, sample.mask) if foreground else (sample.bg, 0 * sample.mask)
        cv2.imwrite(str(folder / "input" / f"{number}.png"), image)
        cv2.imwrite(str(folder / "groundtruth" / f"{number}.png"), mask)
    return folder


def test_samples_without_depth_are_compared_with_fp32(
    builds: Builds, tmp_path: Path, samples: list[Sample]
) -> None:
    """No build has a score then, least of all a perfect one; a loss against FP32's own depth is
    known, and gated."""
    folder = _sequence(tmp_path / "hall", samples[:4], foreground=True)
    outcome = bench([builds("onnxruntime", "int8")], replace(QUICK, samples=str(folder)), progress)
    report = outcome.report
    assert report.samples.depth == "fp32"
    fp32, int8 = report.folded
    assert fp32.depth is None and fp32.drop.depth is None
    assert all(entry.depth is None for entry in report.builds)
    assert int8.drop.depth and 0 <= int8.drop.depth.delta1 < 0.1
    assert (int8.drop.depth.delta1, int8.name, "delta1") in all_losses(report)
    assert all("depth" not in build for build in report.to_json()["builds"])
    table = {line[0]: line[1:] for line in rows(report)}
    assert table["depth AbsRel"] == table["depth delta1"] == ["-", "-"]
    off = table["depth off FP32's, delta1"]
    assert off == ["-", f"{1 - int8.drop.depth.delta1:.4f}"]
    same = compare(*[replace(report, watch=replace(report.watch, mhz=None))] * 2)
    assert "depth delta1" not in same[0].scores
    assert outcome.image.dtype == np.uint8
    assert min(outcome.image.shape[:2]) > 100
    assert "compared with FP32's own" in markdown(report, "edge bench")


def test_masks_of_empty_scenes_have_no_score(
    builds: Builds, tmp_path: Path, samples: list[Sample]
) -> None:
    """No foreground in labels and masks: a dash and null, never a perfect score."""
    folder = _sequence(tmp_path / "hall", samples[:2], foreground=False)
    report = bench(
        [builds("onnxruntime", "int8")], replace(QUICK, samples=str(folder)), progress
    ).report
    assert report.samples.with_foreground == 0
    for entry in report.folded:
        assert entry.mask and set(vars(entry.mask).values()) == {None}
        assert entry.drop.mask and set(vars(entry.drop.mask).values()) == {None}
    assert report.to_json()["builds"][0]["mask"]["iou"] is None
    row = next(line for line in plain(report).splitlines() if line.startswith("mask IoU"))
    assert row.split()[2:] == ["-", "-"]
    assert "points of IoU" not in headline(report)


def test_a_build_that_does_not_fit_stops_the_run_with_its_own_words(
    builds: Builds, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(builds("openvino", "int8"), broken)
    (broken / "frame.bin").write_bytes(b"")
    with pytest.raises(BuildMismatch, match=r"frame\.bin is not the file"):
        bench([broken], SETTINGS, progress)
    with pytest.raises(EdgeError, match="no folder"):
        bench([builds("openvino", "int8")], replace(QUICK, samples="/nowhere"), progress)
    assert manifests.read(builds("openvino", "int8")).engine


class OnDevice:
    """A backend on a device: as the one it wraps, and it tells of stages."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def stages(self, count: int) -> dict[str, list[float]]:
        return {"h2d": [0.25] * count, "gpu_compute": [1.5] * count, "d2h": [0.125] * count}


def test_copies_to_a_device_and_back_are_parts_of_a_frame(
    builds: Builds, tmp_path: Path, report: Report
) -> None:
    samples = tmp_path / "samples"
    samples.write_bytes(pickle.dumps([("a", Rendered(1)[0])]))
    worker = BuildJob(builds("openvino", "int8"), True, 1, samples, tmp_path).open()
    assert stages(worker, 11) == {}
    worker.h._backend = OnDevice(worker.h.backend)
    keys = {f"{stage}_ms": summary(times) for stage, times in stages(worker, 11).items()}
    entries = tuple(replace(entry, **keys) for entry in report.builds)
    (line, *_) = compute_notes(replace(report, builds=entries))
    assert "of compute, by the GPU's clock: h2d 0.250, gpu_compute 1.500, d2h 0.125" in line
    assert "GPU" not in compute_notes(report)[0]


def test_the_table(report: Report) -> None:
    text = plain(report)
    assert len(text.splitlines()) == 14
    assert "13 of 13" in text
    assert text.count("(lost") == 8
    assert "x as fast as FP32" in headline(report)
    page = markdown(report, "edge bench build/net")
    assert page.splitlines()[2].count("net-") == 4
    assert "edge bench build/net" in page
