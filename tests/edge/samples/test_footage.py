"""Footage without labels as calibration samples."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.samples import open_calibration
from edge.cli.app import app
from edge.errors import EdgeError, UsageError
from edge.samples.sample import IGNORED, SampleError

COUNT, HEIGHT, WIDTH = 30, 48, 64


@pytest.fixture
def clip(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """A folder of frames in which a bright square walks through a room, and the room."""
    room = cv2.resize(rng.integers(40, 200, (6, 8, 3), np.uint8), (WIDTH, HEIGHT))
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(COUNT):
        frame = room.copy()
        frame[16:32, 2 * number : 2 * number + 8] = 255
        cv2.imwrite(str(folder / f"{number}.png"), frame)
    return folder, room


def test_frames_are_spread_and_the_background_is_empty(clip: tuple[Path, np.ndarray]) -> None:
    folder, room = clip
    footage = open_calibration(str(folder))
    assert len(footage) == COUNT
    samples = [footage[i] for i in range(COUNT)]
    assert np.abs(samples[0].bg.astype(int) - room).max() <= 2
    starts = [np.flatnonzero((s.fg_bg[16:32] == 255).all((0, 2)))[0] for s in samples]
    assert starts == [2 * number for number in range(COUNT)]
    assert all((s.mask == IGNORED).all() and s.depth is None for s in samples)
    # Ranges are recorded with the spread and without.
    told, untold = samples[0].spread, samples[1].spread
    assert untold is None
    assert told is not None and told[16:32, 20:40, 2].min() > 40 and told[40:].max() <= 2


def test_a_video_is_footage_from_beginning_to_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for number in range(240):
        writer.write(np.full((HEIGHT, WIDTH, 3), number, np.uint8))
    writer.release()
    footage = open_calibration(str(path))
    levels = [footage[i].fg_bg.mean() for i in range(len(footage))]
    assert 30 < len(levels) <= 61
    assert levels[0] < 5 and levels[-1] > 230
    assert np.ptp(np.diff(levels)) < 3


def test_the_fingerprint_follows_the_frames(clip: tuple[Path, np.ndarray]) -> None:
    folder, _ = clip
    before = open_calibration(str(folder)).fingerprint()
    assert open_calibration(str(folder)).fingerprint() == before
    (folder / "7.png").unlink()
    assert open_calibration(str(folder)).fingerprint() != before


def test_ranges_of_footage_go_into_a_build(
    clip: tuple[Path, np.ndarray],
    network: onnx.ModelProto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "mine.onnx")
    words = ["mine.onnx", "--samples", str(clip[0]), "--calib-samples", "12"]
    run = CliRunner().invoke
    run(app, ["calibrate", *words, "--out", "ranges.json"], catch_exceptions=False)
    key = json.loads(Path("ranges.json").read_text())["key"]
    assert (key["samples"], key["count"]) == ("clip", 12)
    build = ["build", *words, "--target", "openvino", "--ranges", "ranges.json", "--json"]
    output = run(app, build, catch_exceptions=False).output
    assert json.loads(output.splitlines()[-1])["int8_layers"] > 0
    recorded = ["build", *words, "--target", "openvino", "--out", "recorded", "--json"]
    output = run(app, recorded, catch_exceptions=False).output
    assert json.loads(output.splitlines()[-1])["int8_layers"] > 0
    assert Path("recorded/ranges.json").read_text() == Path("ranges.json").read_text()


def test_scores_need_labels(clip: tuple[Path, np.ndarray], network: onnx.ModelProto) -> None:
    request = BuildRequest(target="openvino", samples=str(clip[0]), max_drop=0.01)
    with pytest.raises(UsageError, match="--max-drop compares with labels, and clip has none"):
        pipeline.plan(request, network=network)


def test_what_is_no_footage_is_refused(clip: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, _ = clip
    with pytest.raises(SampleError, match="no folder"):
        open_calibration(str(tmp_path / "none"))
    with pytest.raises(SampleError, match="holds no samples"):  # frames among folders of others
        open_calibration(str(tmp_path))
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(EdgeError, match="not a video"):
        len(open_calibration(str(tmp_path / "notes.txt")))
    cv2.imwrite(str(folder / "other.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(EdgeError, match="the images have several sizes"):
        open_calibration(str(folder))[0]
