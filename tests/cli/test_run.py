"""`edge run` and `edge background` as a user types them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene

EXAMPLE = Path(__file__).parents[2] / "examples" / "camera_loop.py"
ENV = {**os.environ, "NO_COLOR": "1"}


def edge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENV, check=False)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), RenderedScene("yard", 0, (240, 320)).background().picture)
    return path


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("openvino", "fp32")


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (found := capture.read())[0]:
        pictures.append(found[1])
    return pictures


def test_a_line_per_frame_and_a_video(tmp_path: Path, build: Path, empty: Path) -> None:
    words = ["--build", build, "--bg", empty, "--frames", 35, "--json", "--out", "new/out.mp4"]
    done = edge("run", "synthetic://yard", *words, "--redact", "fill", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(35))
    assert {"source", "at", "latency_ms", "dropped", "foreground", "blobs"} <= lines[0].keys()
    assert all(len(line["moved"]) == 2 for line in lines)
    assert all(0 <= line["foreground"] <= 1 and "true_foreground" in line for line in lines)
    blob = next(line["blobs"][0] for line in lines if line["blobs"])
    assert len(blob["box"]) == 4
    assert 0 <= blob["depth"] <= 1
    pictures = frames_of(tmp_path / "new" / "out.mp4")
    assert len(pictures) == 35
    assert pictures[0].shape == (240, 640, 3)  # the frame, and its depth beside it
    assert "this machine takes about" in done.stderr


def test_a_camera_can_be_left_where_it_is(tmp_path: Path, build: Path, empty: Path) -> None:
    words = ["--build", build, "--bg", empty, "--frames", 3, "--json", "--no-steady"]
    done = edge("run", "synthetic://yard", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3 and not any("moved" in line for line in lines)


def test_json_goes_where_stdout_goes_though_somebody_watches(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    """stderr is a terminal with a live line, stdout a file."""
    words = ["run", "synthetic://yard", "--build", build, "--bg", empty, "--frames", 5, "--json"]
    command = [sys.executable, "-m", "edge", *map(str, words)]
    ours, theirs = pty.openpty()
    with (tmp_path / "lines").open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=theirs, env=ENV)
        os.close(theirs)
        with contextlib.suppress(OSError):  # the terminal's end
            while os.read(ours, 4096):
                pass
        assert process.wait() == 0
    os.close(ours)
    assert len((tmp_path / "lines").read_text().splitlines()) == 5


def test_a_gap_of_a_live_source_is_left_out_of_its_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute without a frame: two seconds of it are shown, and then time goes on."""
    from edge.cli import run

    now = [0.0]
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    live = SimpleNamespace(camera=SimpleNamespace(live=True))
    channel = run.Channel(live, "cam", 10.0, out=tmp_path / "a.avi")  # type: ignore[arg-type]
    picture = np.zeros((48, 64, 3), np.uint8)
    for number in range(20):
        now[0] = number / 10 + (60 if number >= 10 else 0)
        channel.show(picture)
    channel.close()
    assert 30 <= len(frames_of(tmp_path / "a.avi")) <= 41


def test_several_sources_share_a_build(tmp_path: Path, build: Path, empty: Path) -> None:
    done = edge(
        "run", "synthetic://yard", "synthetic://yard?seed=0", "--build", build, "--bg", empty,
        "--bg", empty, "--frames", 3, "--out", "videos", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sources = [json.loads(line)["source"] for line in done.stdout.splitlines()]
    assert sorted(sources) == ["synthetic://yard"] * 3 + ["synthetic://yard?seed=0"] * 3
    assert len(frames_of(tmp_path / "videos" / "1.mp4")) == 3
    assert len(frames_of(tmp_path / "videos" / "2.mp4")) == 3


def test_a_source_that_fails_beside_others_is_told_at_the_end(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    (tmp_path / "torn.png").write_bytes(b"half a picture")
    words = ["--bg", empty, "--bg", empty, "--build", build, "--frames", 3, "--out", "videos"]
    done = edge("run", "synthetic://yard", "torn.png", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "videos\n")
    assert "error: no picture in torn.png" in done.stderr
    assert len(frames_of(tmp_path / "videos" / "1.mp4")) == 3
    alone = edge("run", "torn.png", "--bg", empty, "--build", build, "--out", "a.mp4", cwd=tmp_path)
    assert (alone.returncode, alone.stdout) == (1, "")


def test_a_live_source_that_has_given_its_frames_is_closed(
    tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it goes on to give while others are still read is not counted as dropped."""
    from edge.camera.camera import camera
    from edge.cli import run

    opened: list[Live] = []
    first_was_closed: list[bool] = []

    class Live:
        live, fps, closed = True, 50.0, False

        def __init__(self, url: str) -> None:
            self.quick = url.endswith("quick")
            opened.append(self)

        def read(self) -> tuple[np.ndarray, None]:
            time.sleep(0.01 if self.quick else 0.2)
            if not self.quick:
                first_was_closed.append(opened[0].closed)
            return np.zeros((48, 64, 3), np.uint8), None

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(camera, "open_reader", Live)
    bg = tmp_path / "bg.png"
    cv2.imwrite(str(bg), np.zeros((48, 64, 3), np.uint8))
    run.run(["rtsp://quick", "rtsp://slow"], build, [bg, bg], frames=8, threads=1)
    assert first_was_closed[-1]


def test_a_background_is_made_from_the_source(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(12):
        picture = np.full((48, 64, 3), 90, np.uint8)
        picture[:, 5 * number : 5 * number + 5] = 250
        cv2.imwrite(str(tmp_path / "frames" / f"{number:02d}.png"), picture)
    done = edge("background", "frames", "--out", "bg.png", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "bg.png\n"), done.stderr
    assert (cv2.imread(str(tmp_path / "bg.png")) == 90).all()


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stopped_run_leaves_a_video_that_plays(
    sent: signal.Signals, code: int, tmp_path: Path, build: Path, empty: Path
) -> None:
    command = [sys.executable, "-m", "edge", "run", "synthetic://yard", "--build", str(build)]
    command += ["--bg", str(empty), "--out", "out.mp4", "--json"]
    # A shell lets what it starts in the background ignore Ctrl-C, these tests perhaps among it.
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV
    )
    signal.signal(signal.SIGINT, was)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(sent)
    _, told = process.communicate(timeout=20)
    assert process.returncode == code, told
    assert "Traceback" not in told
    assert "frames," in told
    assert len(frames_of(tmp_path / "out.mp4")) >= 9  # the tenth was told before it was written


WRONG = {
    "no source": (["/nowhere.mp4"], 1, "no file or folder /nowhere.mp4"),
    "no build": (["synthetic://yard", "--build", "."], 5, "is not a build"),
    "no background": (["synthetic://yard", "--bg", "none.png"], 1, "cannot read a picture from"),
    "too few backgrounds": (["a", "b", "--bg", "x.png"], 2, "1 --bg for 2 sources"),
    "no such redaction": (["a", "--redact", "hide"], 2, "--redact hide: expected blur or fill"),
    "its own source": (["{}/a.mkv", "--out", "{}/a.mkv"], 2, "is one of the sources; give another"),
    "no picture": (["{}/torn.png"], 1, "error: no picture in {}/torn.png"),
    "no video": (["/nowhere.mp4", "--out", "a.gif"], 2, "ends in .mp4, .mkv, .avi, .webm"),
    "a background of another size": (["synthetic://yard"], 1, "its background is 64x48; make one"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words_are_refused(what: str, tmp_path: Path, build: Path) -> None:
    words, code, told = WRONG[what]
    words, told = [word.format(tmp_path) for word in words], told.format(tmp_path)
    (tmp_path / "torn.png").write_bytes(b"half a picture")
    if "--bg" not in words:
        cv2.imwrite(str(tmp_path / "bg.png"), np.zeros((48, 64, 3), np.uint8))
        words = [*words, "--bg", "bg.png"]
    if "--build" not in words:
        words = [*words, "--build", str(build)]
    done = edge("run", *words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_runs(tmp_path: Path, build: Path, empty: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    scene = RenderedScene("yard", 0, (240, 320))
    for number in range(6):
        cv2.imwrite(str(frames / f"{number}.png"), scene.frame(4.0 + number).picture)
    command = [sys.executable, str(EXAMPLE), str(build), str(empty), str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False)
    assert done.returncode == 0, done.stderr
    assert "% depth 0." in done.stdout
    assert len(EXAMPLE.read_text().splitlines()) < 30
