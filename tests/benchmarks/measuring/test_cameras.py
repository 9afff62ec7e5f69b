"""Many cameras at once: that what is late is called late, and that the report says so."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from edge.benchmarks.measuring import cameras
from edge.benchmarks.measuring.bench import Settings, bench
from edge.benchmarks.measuring.cameras import CAMERA, CamerasJob
from edge.benchmarks.reporting.notes import notes
from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import iter_samples

from .clock import Clock

SETTINGS = Settings("rendered:4:4", 4, threads=1, warmup=0.0, duration=0.0, iterations=8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendered = Rendered(4, (120, 160), seed=2, frames_per_scene=2)
    path = tmp_path_factory.mktemp("cameras") / "samples.pickle"
    path.write_bytes(pickle.dumps(list(iter_samples(rendered, range(4)))))
    return path


def test_an_impossible_rate_is_late_and_an_easy_one_is_not(
    builds, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 frames a second cannot be had where each takes milliseconds; two can."""
    clock, start = Clock(), 1e6
    monkeypatch.setattr(cameras, "time", clock)
    build = builds("onnxruntime", "int8")
    easy = CamerasJob(build, 2, 2.0, file).open().paced(start, 1.0)
    assert (easy.frames, easy.late) == (4, 0)
    assert clock.now - start == pytest.approx(0.75, abs=0.01)  # until the last was due
    hard = CamerasJob(build, 2, 10_000.0, file).open().paced(clock.now, 0.01)
    assert hard.frames == 200
    assert hard.late > 190


def test_every_camera_has_its_own_scene(builds, file: Path) -> None:
    worker = CamerasJob(builds("onnxruntime", "int8"), 3, 15.0, file).open()
    handles = {id(h) for h, _ in worker.cameras}
    assert len(handles) == 3
    assert worker.cameras[0][1] is worker.cameras[2][1]  # two scenes among three cameras
    assert worker.cameras[0][1] is not worker.cameras[1][1]
    assert all(image.shape[:2] == CAMERA for _, shown in worker.cameras for image in shown)


def test_the_report_says_how_full_the_machine_was(builds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "CAMERAS_S", 1.0)
    settings = replace(SETTINGS, cameras=3, camera_fps=5.0)
    outcome = bench([builds("openvino", "int8")], settings, lambda stage, done, total: None)
    report = outcome.report
    entry = next(e for e in report.folded if e.precision == "int8")
    assert entry.cameras is not None
    assert entry.cameras.frames == 15
    assert set(entry.cameras.ms_a_frame) == {"resize", "infer", "blobs"}
    busy_ms = entry.cameras.frames * sum(entry.cameras.ms_a_frame.values())
    assert entry.cameras.busy_share == pytest.approx(busy_ms / 1000 / entry.cameras.cores, abs=1e-3)
    assert any("3 cameras of 640x480 at 5 fps" in line for line in notes(report))
