"""`edge run` as a user types it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.cli.run import scene_of

from ..command import edge, interruptible

EXAMPLE = Path(__file__).parents[2] / "examples" / "camera_loop.py"
ENV = {**os.environ, "NO_COLOR": "1"}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), RenderedScene("yard", 0, (240, 320)).background().image)
    return path


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("openvino", "fp32")


KEYS = {"source", "frame", "at", "size", "latency_ms", "dropped", "foreground", "blobs", "moved"}
KEYS |= {"true_foreground"}


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    return images


def test_a_line_per_frame_and_a_video(tmp_path: Path, build: Path, empty: Path) -> None:
    words = ["--build", build, "--bg", empty, "--frames", 35, "--json", "--out", "new/out.mp4"]
    command = [sys.executable, "-m", "edge", "run", "synthetic://yard", "--redact", "fill", *words]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=tmp_path, env=ENV, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(35))
    assert set(lines[0]) == KEYS  # programs of others read them
    assert all(line["size"] == [240, 320] for line in lines)
    assert all(len(line["moved"]) == 2 for line in lines)
    assert all(0 <= line["foreground"] <= 1 and "true_foreground" in line for line in lines)
    blob = next(line["blobs"][0] for line in lines if line["blobs"])
    assert len(blob["box"]) == 4
    assert 0 <= blob["depth"] <= 1
    assert 0.5 <= blob["confidence"] <= 1
    for blob in (each for line in lines for each in line["blobs"]):
        assert (blob["foot"] is None) == (blob["ground_depth"] is None)
        if blob["foot"] is not None:
            left, top, width, height = blob["box"]
            assert left <= blob["foot"][0] <= left + width
            assert blob["foot"][1] == pytest.approx(top + height, abs=1.5)
            assert 0 <= blob["ground_depth"] <= 1
    images = frames_of(tmp_path / "new" / "out.mp4")
    assert len(images) == 35
    assert images[0].shape == (240, 640, 3)  # the frame, and its depth beside it
    assert "this machine takes about" in done.stderr


def test_stabilization_can_be_switched_off(tmp_path: Path, build: Path, empty: Path) -> None:
    words = ["--build", build, "--bg", empty, "--frames", 3, "--json", "--no-stabilize"]
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
    (tmp_path / "torn.png").write_bytes(b"half an image")
    words = ["--bg", empty, "--bg", empty, "--build", build, "--frames", 3, "--out", "videos"]
    done = edge("run", "synthetic://yard", "torn.png", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "videos\n")
    assert "error: no frame of torn.png could be read" in done.stderr
    assert "cannot read an image from torn.png" in done.stderr
    assert len(frames_of(tmp_path / "videos" / "1.mp4")) == 3
    alone = edge("run", "torn.png", "--bg", empty, "--build", build, "--out", "a.mp4", cwd=tmp_path)
    assert (alone.returncode, alone.stdout) == (1, "")


def test_a_broken_image_of_a_folder_is_named_and_counted(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    """The broken ones keep their numbers, and the first are named."""
    folder = tmp_path / "frames"
    folder.mkdir()
    image = cv2.imread(str(empty))
    for number in range(20):
        file = folder / f"{number:02d}.png"
        if number % 2:
            cv2.imwrite(str(file), image)
        else:
            file.write_bytes(b"half an image")
    done = edge("run", "frames", "--bg", empty, "--build", build, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines if "frame" in line] == list(range(1, 20, 2))
    events = [line for line in lines if "event" in line]
    assert len(events) == 10
    assert all(event.keys() == {"source", "event", "at"} for event in events)
    assert done.stderr.count("cannot read an image from") == 5
    assert "10 frames," in done.stderr and "10 unreadable" in done.stderr


def test_times_follow_the_source(tmp_path: Path, build: Path, empty: Path) -> None:
    """In the lines of --json and in the video."""
    image, times = cv2.imread(str(empty)), [0.0, 0.1, 0.2, 3.0, 6.0, 66.0]
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = image.shape[:2]
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for at in times:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = round(1000 * at)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    words = ["--bg", empty, "--build", build, "--json", "--out", "out.mp4"]
    done = edge("run", "a.mkv", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["at"] for line in done.stdout.splitlines()] == times
    with av.open(str(tmp_path / "out.mp4")) as container:
        written = [frame.time for frame in container.decode(video=0)]
    assert written == pytest.approx(times, abs=2e-3)


def test_a_thermal_folder(tmp_path: Path, build: Path, empty: Path) -> None:
    """16 bits from 7000 to 8000, as the same frames of 8 bits; bg and frames by one range."""
    scene = RenderedScene("yard", 0, (240, 320))
    images = [cv2.imread(str(empty))]
    images += [scene.frame(t, camouflage=False, empty=False).image for t in (1.0, 2.5, 4.0, 5.5)]
    for kind in ("grey", "raw"):
        (tmp_path / kind).mkdir()
        for number, image in enumerate(images):
            values = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            if kind == "raw":
                values = (7000 + 1000 * (values / 255.0)).round().astype(np.uint16)
            name = f"{kind}/{number}.png" if number else f"{kind}bg.png"
            cv2.imwrite(str(tmp_path / name), values)

    def shares(source: str, *words: str) -> list[float]:
        done = edge("run", source, "--build", build, "--json", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["foreground"] for line in done.stdout.splitlines()]

    expected = shares("grey", "--bg", "greybg.png")
    assert max(expected) > 0.003
    fixed = shares("raw", "--bg", "rawbg.png", "--range", "7000:8000")
    assert fixed == pytest.approx(expected, abs=1e-3)
    made = shares("raw", "--bg", "greybg.png", "--range", "7000:8000")
    assert made == pytest.approx(expected, abs=1e-3)
    assert max(shares("raw", "--bg", "rawbg.png", "--range", "auto")) > max(expected) / 3
    without = edge("run", "raw", "--build", build, "--range", "auto", cwd=tmp_path)
    assert without.returncode == 0, without.stderr
    assert "raw: --range " in without.stderr
    for source, bg, words, told in (
        ("raw", "rawbg.png", [], "raw has 16-bit values"),
        ("raw", "greybg.png", [], "raw has 16-bit values"),
        ("grey", "greybg.png", ["--range", "7000:8000"], "--range has no effect on grey"),
        ("raw", "greybg.png", ["--range", "auto"], "greybg.png has 8 bits, its range is not known"),
        ("raw", "rawbg.png", ["--range", "9"], "expected LOW:HIGH"),
    ):
        done = edge("run", source, "--bg", bg, "--build", build, *words, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr


def test_a_labelled_sequence_brings_its_background(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    for folder in ("input", "groundtruth"):
        (tmp_path / "s" / folder).mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"s/input/{number}.png"), cv2.imread(str(empty)))
        cv2.imwrite(str(tmp_path / f"s/groundtruth/{number}.png"), np.zeros((240, 320), np.uint8))
    cv2.imwrite(str(tmp_path / "s/bg.png"), cv2.imread(str(empty)))
    done = edge("run", "s", "--build", build, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert max(line["foreground"] for line in lines) < 0.002
    spread = cv2.imread(str(empty)) // 9  # type: ignore[operator]
    cv2.imwrite(str(tmp_path / "s/bg.spread.png"), spread)
    background, _ = scene_of(str(tmp_path / "s"), None, None, build, True)
    assert np.array_equal(background.image, cv2.imread(str(empty)))  # type: ignore[arg-type]
    assert background.spread is not None and np.array_equal(background.spread, spread)


def test_a_damaged_video_is_run_to_its_end(tmp_path: Path, build: Path, empty: Path) -> None:
    image = cv2.imread(str(empty))
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(30):
        writer.write(image)
    writer.release()
    data = bytearray(path.read_bytes())
    begin = data.index(b"movi")
    for _ in range(11):
        begin = data.index(b"00dc", begin + 1)
    data[begin + 8 : begin + 700] = bytes(692)
    path.write_bytes(data)
    done = edge("run", path, "--bg", empty, "--build", build, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    numbers = [line["frame"] for line in lines if "frame" in line]
    assert numbers == [number for number in range(30) if number != 10]
    assert "a.avi: frame 10 cannot be decoded" in done.stderr
    assert "29 frames," in done.stderr and "1 unreadable" in done.stderr


def test_a_closed_stdout_ends_a_run_quietly(tmp_path: Path, build: Path, empty: Path) -> None:
    """As in `edge run ... --json | head -3`; the video plays."""
    command = [sys.executable, "-m", "edge", "run", "synthetic://yard", "--build", str(build)]
    command += ["--bg", str(empty), "--out", "out.mp4", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV
    )
    assert process.stdout is not None and process.stderr is not None
    for _ in range(3):
        process.stdout.readline()
    process.stdout.close()
    told = process.stderr.read()
    assert process.wait() == 141, told
    assert "Traceback" not in told and "error" not in told.lower()
    assert len(frames_of(tmp_path / "out.mp4")) >= 2


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stopped_run_leaves_a_video_that_plays(
    sent: signal.Signals, code: int, tmp_path: Path, build: Path, empty: Path
) -> None:
    command = [sys.executable, "-m", "edge", "run", "synthetic://yard", "--build", str(build)]
    command += ["--bg", str(empty), "--out", "out.mp4", "--json"]
    with interruptible():
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=ENV,
        )  # fmt: skip
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(sent)
    # `communicate` would pass by what the lines above have read ahead.
    assert process.stderr is not None
    rest, told = process.stdout.read(), process.stderr.read()
    assert process.wait() == code, told
    assert "Traceback" not in told
    assert "frames," in told
    # Every frame that was told of, and at most the one that was not told of any more.
    assert len(frames_of(tmp_path / "out.mp4")) - (10 + rest.count('"frame"')) in (0, 1)


WRONG = {
    "no source": (["/nowhere.mp4"], 1, "no file or folder /nowhere.mp4"),
    "no build": (["synthetic://yard", "--build", "."], 5, "is not a build"),
    "no background": (["synthetic://yard", "--bg", "none.png"], 1, "cannot read an image from"),
    "too few backgrounds": (["a", "b", "--bg", "x.png"], 2, "1 --bg for 2 sources"),
    "no such redaction": (["a", "--redact", "hide"], 2, "--redact hide: expected blur or fill"),
    "nothing to redact": (["a", "--redact", "fill"], 2, "--redact has no effect without --out"),
    "seconds of nothing": (["a", "--seconds", "3"], 2, "--seconds has no effect with --bg"),
    "a GPU's option": (["a", "--cuda-backend", "pycuda"], 2, "--cuda-backend has no effect on"),
    "no such library": (
        ["a", "--cuda-backend", "foo"],
        2,
        "unknown --cuda-backend 'foo'; known: auto",
    ),
    "its own source": (["{}/a.mkv", "--out", "{}/a.mkv"], 2, "is one of the sources; give another"),
    "its source as address": (["file://{}/a%20b.mkv", "--out", "{}/a b.mkv"], 2, "is one of the"),
    "no image": (["{}/torn.png"], 1, "error: no frame of {}/torn.png could be read"),
    "no video": (["/nowhere.mp4", "--out", "a.gif"], 2, "ends in .mp4, .mkv, .avi, .webm"),
    "one video of two": (["a", "b", "--bg", "bg.png", "--out", "a.mp4"], 2, "expected a folder"),
    "a background of another size": (["synthetic://yard"], 1, "its background is 64x48; make one"),
}


AT_ONCE = {
    "no such file": ("nowhere.mp4", [], "no file or folder nowhere.mp4"),
    "a loop of links": ("loop.mp4", [], "no file or folder loop.mp4"),
    "an empty file": ("zero.mp4", [], "cannot open zero.mp4: it is empty"),
    "no such background": ("eight", ["--bg", "none.png"], "cannot read an image from none.png"),
    "8 bits with a range": ("eight", ["--range", "0:100"], "--range has no effect on eight"),
    "8 bits with auto": ("eight", ["--range", "auto"], "--range has no effect on eight"),
    "16 bits without": ("deep", [], "deep has 16-bit values"),
    "a wrong range": ("deep", ["--range", "9:1"], "--range 9:1: expected LOW:HIGH"),
    "a wrong address": ("rtsp://ann:p/w@cam/live", [], "write %2F for /"),
    "no kind of source": ("ftp://a/b", [], "unknown kind of source"),
}


@pytest.mark.parametrize("what", AT_ONCE)
def test_what_is_known_at_once_is_said_before_anything_is_made(
    what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, words, told = AT_ONCE[what]
    for folder, kind in (("eight", np.uint8), ("deep", np.uint16)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "0.png"), np.full((48, 64), 200, kind))
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "zero.mp4").touch()
    done = edge("run", source, *words, cwd=tmp_path)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.startswith("error: ") and told in done.stderr
    assert done.stderr.count("\n") == 1
    assert capfd.readouterr() == ("", "")  # of the libraries
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words_are_refused(what: str, tmp_path: Path, build: Path) -> None:
    words, code, told = WRONG[what]
    words, told = [word.format(tmp_path) for word in words], told.format(tmp_path)
    (tmp_path / "torn.png").write_bytes(b"half an image")
    (tmp_path / "a b.mkv").write_bytes(b"")
    if "--bg" not in words or "bg.png" in words:
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
        cv2.imwrite(str(frames / f"{number}.png"), scene.frame(4.0 + number).image)
    command = [sys.executable, str(EXAMPLE), str(build), str(empty), str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"foot \(\d+\.\d+, \d+\.\d+\) depth 0\.\d+", done.stdout)
    assert len(EXAMPLE.read_text().splitlines()) < 30


def test_strict_fails_when_the_background_does_not_fit(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    cv2.imwrite(str(tmp_path / "other.png"), cv2.imread(str(empty))[::-1])
    words = ["--build", build, "--frames", 60, "--json", "--strict"]
    fits = edge("run", "synthetic://yard", "--bg", empty, *words, cwd=tmp_path)
    assert fits.returncode == 0, fits.stderr
    done = edge("run", "synthetic://yard", "--bg", "other.png", *words, cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "synthetic://yard: scene_changed" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines if "event" in line] == ["scene_changed"]
    assert [line["moved"] for line in lines if "frame" in line][-1] is None


def test_the_confidence_beside_a_background_is_read(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    cv2.imwrite(str(tmp_path / "bg.png"), cv2.imread(str(empty)))
    words = ["--bg", "bg.png", "--build", build, "--frames", 2, "--json", "--strict"]
    cv2.imwrite(str(tmp_path / "bg.confidence.png"), np.zeros((240, 320), np.uint8))
    unsure = edge("run", "synthetic://yard", *words, cwd=tmp_path)
    assert unsure.returncode == 6
    assert "100 % of the background was hardly ever seen empty" in unsure.stderr
    cv2.imwrite(str(tmp_path / "bg.confidence.png"), np.zeros((24, 32), np.uint8))
    wrong = edge("run", "synthetic://yard", *words, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "bg.confidence.png is not the confidence of bg.png" in wrong.stderr


def test_a_background_among_the_images_of_the_source_is_refused(
    tmp_path: Path, build: Path, empty: Path
) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("0.png", "bg.png"):
        cv2.imwrite(str(tmp_path / "frames" / name), cv2.imread(str(empty)))
    done = edge("run", "frames", "--bg", "frames/bg.png", "--build", build, cwd=tmp_path)
    assert done.returncode == 2
    assert "--bg frames/bg.png is in the source" in done.stderr


def test_a_recording_that_is_cut_off_is_a_failure(tmp_path: Path, build: Path, empty: Path) -> None:
    image = cv2.imread(str(empty))
    with av.open(str(tmp_path / "a.mov"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height = image.shape[1::-1]
        stream.pix_fmt = "yuvj420p"
        for _ in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    data = (tmp_path / "a.mov").read_bytes()
    (tmp_path / "half.mov").write_bytes(data[: len(data) // 2])
    for name, code in (("a.mov", 0), ("half.mov", 1)):
        done = edge("run", name, "--bg", empty, "--build", build, "--json", cwd=tmp_path)
        assert done.returncode == code, done.stderr
    assert "half.mov ended early" in done.stderr
    assert 10 < done.stdout.count('"frame"') < 60


def test_an_unsure_background_is_told_once_until_it_changes(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from types import SimpleNamespace
    from typing import Any

    from edge.camera.source import CameraEvent
    from edge.cli.run import _Printer

    printer = _Printer(False, lambda result: None)
    yard: Any = SimpleNamespace(name="yard")
    for share in (9, 9, 9, 4, 9):
        printer.on_event(yard, CameraEvent("background_unsure", 0.0, f"{share} % is unsure"))
    told = capfd.readouterr().err.split()
    assert [word for word in told if word.isdigit()] == ["9", "4", "9"]
