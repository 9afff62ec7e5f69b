"""The benchmark on real builds: what is in the report, and that it can see a loss."""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import edge
from edge import manifest as manifests
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.process import take_turns
from edge.benchmarks.measuring.run import Outcome, bench, drop, worst_drop
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.table import base_of, compute_notes, headline, markdown, plain
from edge.builder.write import Plan, planned, write
from edge.calibrate.rendering.samples import Rendered
from edge.errors import EdgeError

from ..conftest import SETTINGS, watch


def test_fp32_stands_beside_every_build(report: dict[str, Any]) -> None:
    folded = [(e["target"], e["precision"]) for e in report["builds"] if e["folded"]]
    assert folded == [
        ("openvino", "fp32"),
        ("openvino", "int8"),
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
    ]
    assert [e["folded"] for e in report["builds"]] == [True] * 4 + [False] * 4
    for entry in report["builds"]:
        if entry["precision"] == "fp32":
            assert not any(any(values.values()) for values in entry["drop"].values()) or (
                not entry["folded"]
            )


def test_the_report_has_the_keys_that_people_rely_on(report: dict[str, Any]) -> None:
    json.dumps(report)
    assert report["samples"]["count"] == 6
    assert report["samples"]["depth"] == "truth"
    for entry in report["builds"]:
        for name in ("latency_ms", "preprocess_ms", "end_to_end_ms"):
            keys = {"min", "mean", "p50", "p90", "p95", "p99", "max", "n"}
            assert keys | {"p50_interval", "p90_interval"} == set(entry[name])
        assert {"iou", "f_measure", "precision", "recall"} == set(entry["mask"])
        assert {"abs_rel", "rmse", "delta1"} == set(entry["depth"])
        assert entry["end_to_end_ms"]["mean"] >= entry["latency_ms"]["mean"]
        assert entry["rss_peak_mb"] > 10
    folded = report["builds"][0]
    assert folded["latency_ms"]["n"] == 70
    assert folded["latency_ms"]["p90"] is not None
    assert folded["latency_ms"]["p99"] is None  # 70 samples say nothing about it


def test_every_timed_frame_is_in_the_samples(outcome: Outcome) -> None:
    for entry in outcome.report["builds"]:
        mine = [
            line for line in outcome.samples
            if (line["name"], line["folded"]) == (entry["name"], entry["folded"])
        ]  # fmt: skip
        assert len(mine) == entry["latency_ms"]["n"]
        whole = np.median([line["latency_ms"] for line in mine])
        assert entry["latency_ms"]["p50"] == pytest.approx(whole, abs=1e-3)
        assert entry["postprocess_ms"]["n"] == len(mine)


def test_a_start_and_a_cameras_pace_are_measured_too(report: dict[str, Any]) -> None:
    for entry in report["builds"][:4]:
        cold, pace = entry["cold"], entry["paced"]
        assert cold["background_ms"] > cold["first_ms"] > 0
        assert cold["open_ms"] > 0
        assert pace["fps"] == 30
        assert pace["fps_paced"] <= 30.01
        assert pace["end_to_end_ms"]["n"] + pace["dropped_frames"] == 15
    assert {"others_share", "mhz", "celsius", "throttled", "disturbed"} == set(report["watch"])


@pytest.mark.parametrize("fps", [1e5, 4.0])
def test_a_pace_that_cannot_be_kept_shows(fps: float, builds, tmp_path: Path) -> None:
    samples = tmp_path / "samples.pickle"
    rendered = Rendered(2, (64, 64), seed=5)
    samples.write_bytes(pickle.dumps([("a", rendered[0]), ("a", rendered[1])]))
    worker = BuildJob(builds("openvino", "int8"), True, 1, samples, tmp_path).open()
    found = worker.paced(fps, 200 if fps > 100 else 3)
    edge.close(worker.h)
    if fps > 100:
        assert found["deadline_misses"] > 0
        assert found["dropped_frames"] > 0
        assert found["fps_paced"] < fps / 2
        assert found["end_to_end_ms"]["n"] + found["dropped_frames"] == 200
    else:
        assert (found["deadline_misses"], found["dropped_frames"]) == (0, 0)
        assert found["fps_paced"] == pytest.approx(4, rel=0.1)


def test_folding_changes_no_score_of_fp32(report: dict[str, Any]) -> None:
    for folded in report["builds"][:4]:
        for other in report["builds"][4:]:
            if (folded["name"], folded["precision"]) == (other["name"], "fp32"):
                for part in ("mask", "depth"):
                    assert folded[part] == pytest.approx(other[part], abs=1e-4)


def test_a_spoiled_engine_shows_as_a_loss(plan: Callable[..., Plan], tmp_path: Path) -> None:
    """The same build with the mask's last bias moved: what the gate is there to catch."""
    good = plan("onnxruntime", "fp32")
    frame = onnx.ModelProto.FromString(good.frame.SerializeToString())
    bias = next(w for w in frame.graph.initializer if w.name.endswith("mask.bias"))
    values = numpy_helper.to_array(bias) + np.float32(20)
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    write(replace(good, frame=frame, precision="fp16"), tmp_path / "spoiled", time.monotonic())
    found = bench([tmp_path / "spoiled"], SETTINGS, watch).report
    lost, whose = worst_drop(found)
    assert lost > 0.1
    assert "spoiled" not in whose
    assert found["builds"][1]["drop"]["mask"]["iou"] == pytest.approx(
        found["builds"][0]["mask"]["iou"] - found["builds"][1]["mask"]["iou"], abs=1e-5
    )


def test_networks_of_one_name_are_each_compared_with_their_own(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """Yesterday's network beside today's: what `edge compare` asks for."""
    new = plan("onnxruntime", "fp16")
    source = onnx.ModelProto.FromString(new.source.SerializeToString())
    bias = next(w for w in source.graph.initializer if w.name.endswith("mask.bias"))
    values = numpy_helper.to_array(bias) + np.float32(20)
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    old = planned(source, new.network, new.target, "fp16", "edge build")
    places = [tmp_path / "old", tmp_path / "new"]
    for made, place in zip((old, new), places, strict=True):
        write(made, place, time.monotonic())
    outcome = bench(places, SETTINGS, watch)
    found = outcome.report
    entries = {entry["name"]: entry for entry in found["builds"] if entry["folded"]}
    before, after = map(str, places)
    names = [f"net-fp32-onnxruntime-64x64 of {before}", before]
    assert list(entries) == [*names, f"net-fp32-onnxruntime-64x64 of {after}", after]
    for entry in entries.values():
        assert abs(entry["drop"]["mask"]["iou"]) < 0.01
    bases = {base_of(entry, found)["name"] for entry in entries.values()}
    assert bases == {names[0], f"net-fp32-onnxruntime-64x64 of {after}"}
    assert base_of(entries[after], found)["name"] == f"net-fp32-onnxruntime-64x64 of {after}"
    assert entries[before]["mask"]["iou"] < 0.5 < entries[after]["mask"]["iou"]
    assert headline(found).startswith(f"{after} runs ")
    assert {line["name"] for line in outcome.samples} == set(entries)


def test_a_background_is_neither_time_nor_energy_of_a_frame(
    builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tmp_path / "samples"
    scenes = Rendered(2)
    samples.write_bytes(pickle.dumps([("a", scenes[0]), ("b", scenes[1])]))
    worker = BuildJob(builds("onnxruntime", "fp32"), True, 1, samples, tmp_path).open()
    counter, seen = [0.0], []
    worker.meters = {"meter": lambda: counter[0]}
    worker.joules = {"meter": 0.0}
    set_background, infer = edge.set_background, edge.infer

    def background(h: Any, bg: Any) -> None:
        counter[0] += 1000
        seen.append("background")
        set_background(h, bg)

    def frame(h: Any, fg_bg: Any) -> Any:
        counter[0] += 2
        seen.append("frame")
        return infer(h, fg_bg)

    monkeypatch.setattr(edge, "set_background", background)
    monkeypatch.setattr(edge, "infer", frame)
    for count in (4, 146):  # within a scene and over the borders of two
        assert len(worker.frames(count)["latency"]) == count
    runs = [(what, len(list(group))) for what, group in groupby(seen)]
    assert runs == [("background", 1), ("frame", 64)] * 2 + [("background", 1), ("frame", 22)]
    assert worker.energy()["meter"]["mj_a_frame"] == 2000


def test_duration_is_time_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that spends most of its time on what is not timed works for as long as another."""
    asked = []

    def ask(name: str, count: int) -> dict[str, list[float]]:
        time.sleep(0.005)
        asked.append(count)
        return {"latency": [1.0] * count}

    worker = SimpleNamespace(job=SimpleNamespace(brief=False), ask=ask, times={})
    take_turns([worker], 0.016, 0.4, 11, watch)  # type: ignore[list-item]
    assert asked == [4] * 4 + [40] * 10


def test_samples_without_depth_are_compared_with_fp32(builds, tmp_path: Path, samples) -> None:
    import cv2

    folder = tmp_path / "hall"
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "bg.png"), samples[0].bg)
    for number, sample in enumerate(samples[:4]):
        cv2.imwrite(str(folder / "input" / f"{number}.png"), sample.fg_bg)
        cv2.imwrite(str(folder / "groundtruth" / f"{number}.png"), sample.mask)
    outcome = bench([builds("onnxruntime", "int8")], replace(SETTINGS, samples=str(folder)), watch)
    found, picture = outcome.report, outcome.picture
    assert found["samples"]["depth"] == "fp32"
    fp32, int8 = found["builds"][:2]
    assert fp32["depth"]["delta1"] == 1.0
    assert 0.9 < int8["depth"]["delta1"] <= 1.0
    assert picture.dtype == np.uint8
    assert min(picture.shape[:2]) > 100
    assert "compared with FP32's own" in markdown(found, "edge bench")


def test_a_build_that_does_not_fit_stops_the_run_with_its_own_words(builds, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(builds("openvino", "int8"), broken)
    (broken / "frame.bin").write_bytes(b"")
    with pytest.raises(manifests.BuildMismatch, match=r"frame\.bin is not the file"):
        bench([broken], SETTINGS, watch)
    with pytest.raises(EdgeError, match="no folder"):
        bench([builds("openvino", "int8")], replace(SETTINGS, samples="/nowhere"), watch)


def test_drop_is_positive_where_something_was_lost() -> None:
    reference = {"mask": {"iou": 0.9}, "depth": {"abs_rel": 0.1, "delta1": 0.8}}
    worse = {"mask": {"iou": 0.8}, "depth": {"abs_rel": 0.3, "delta1": 0.9}}
    found = drop(worse, reference)
    assert found["mask"]["iou"] == pytest.approx(0.1)
    assert found["depth"] == {"abs_rel": pytest.approx(0.2), "delta1": pytest.approx(-0.1)}


class Elsewhere:
    """A backend on a device: as the one it wraps, and it tells of stages."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def stages(self, count: int) -> dict[str, list[float]]:
        return {"h2d": [0.25] * count, "gpu_compute": [1.5] * count, "d2h": [0.125] * count}


def test_copies_to_a_device_and_back_are_parts_of_a_frame(
    builds, tmp_path: Path, report: dict[str, Any]
) -> None:
    samples = tmp_path / "samples"
    samples.write_bytes(pickle.dumps([("a", Rendered(1)[0])]))
    worker = BuildJob(builds("openvino", "int8"), True, 1, samples, tmp_path).open()
    assert worker.stages(11) == {}
    worker.h._backend = Elsewhere(worker.h.backend)
    found = worker.stages(11)
    entries = [
        entry | {f"{stage}_ms": summary(taken) for stage, taken in found.items()}
        for entry in report["builds"]
    ]
    (line, *_) = compute_notes(report | {"builds": entries})
    assert "of compute, by the GPU's clock: h2d 0.250, gpu_compute 1.500, d2h 0.125" in line
    assert "GPU" not in compute_notes(report)[0]


def test_the_table(report: dict[str, Any]) -> None:
    text = plain(report)
    assert len(text.splitlines()) == 13
    assert "13 of 13" in text
    assert text.count("(lost") == 8
    assert "x as fast as FP32" in headline(report)
    page = markdown(report, "edge bench build/net")
    assert page.splitlines()[2].count("net-") == 4
    assert "edge bench build/net" in page
