"""Sources of frames: files, folders, rendered scenes, one that dies, and a real RTSP server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera import camera
from edge.camera.camera import Camera
from edge.camera.source import CameraError, CameraEvent, Decoded, Frame
from edge.clock import steady
from edge.errors import UsageError

from ..sinks.broker import free_port, wait_for

SERVER = Path(__file__).parents[2] / "rtsp_server.py"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten grey pictures, each 20 levels brighter, 5 a second."""
    path = tmp_path / "grey.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for level in range(10):
        writer.write(np.full((48, 64, 3), 20 * level, np.uint8))
    writer.release()
    return path


def all_frames(source: Camera) -> list[Frame]:
    frames = []
    while not source.ended:
        item = source.take()
        if isinstance(item, Frame):
            frames.append(item)
    return frames


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_video_gives_every_frame_with_its_time(video: Path, form: str) -> None:
    with Camera(form.format(video)) as source:
        assert (source.live, source.fps) == (False, 5)
        frames = all_frames(source)
    assert [frame.number for frame in frames] == list(range(10))
    assert [frame.at for frame in frames] == pytest.approx([i / 5 for i in range(10)])
    levels = [frame.image.mean() for frame in frames]
    assert levels == pytest.approx([20 * level for level in range(10)], abs=3)
    assert source.dropped == 0


def test_a_folder_gives_its_images_by_name_and_reports_a_broken_one(tmp_path: Path) -> None:
    for name in ("b", "a", "d"):
        cv2.imwrite(str(tmp_path / f"{name}.PNG"), np.full((8, 8, 3), ord(name), np.uint8))
    (tmp_path / "c.png").write_bytes(b"half")
    events, frames = [], []
    with Camera(str(tmp_path)) as source:
        while not source.ended:
            item = source.take()
            if isinstance(item, Frame):
                frames.append(item)
            elif item is not None:
                events.append(item)
        assert source.unreadable == 1
    assert [int(f.image[0, 0, 0]) for f in frames] == [ord(c) for c in "abd"]
    assert [f.number for f in frames] == [0, 1, 3]  # the broken image keeps its number
    assert [event.kind for event in events] == ["unreadable"]
    assert "c.png" in events[0].text


def test_a_rendered_scene_has_its_true_mask() -> None:
    with Camera("synthetic://yard?seed=4") as a, Camera("synthetic://yard?seed=4") as b:
        first, again = (source.take() for source in (a, b))
        assert isinstance(first, Frame)
        assert isinstance(again, Frame)
        assert np.array_equal(first.image, again.image)
        assert first.truth is not None
        assert first.truth.shape == first.image.shape[:2]
        shares = [f.truth.mean() for _ in range(40) if isinstance(f := a.take(), Frame)]
    assert max(shares) > 0.003


WRONG = {
    "no file": ("/nowhere/a.mp4", CameraError, "no file or folder /nowhere/a.mp4"),
    "no video": ("{}/none.mp4", CameraError, "not a video that FFmpeg can read, or its recorder"),
    "an empty folder": ("{}/empty", CameraError, "no images in"),
    "a pipe": (
        "{}/pipe",
        CameraError,
        "pipe is a pipe, expected a file or a folder; send the stream",
    ),
    "a device's number": ("97", UsageError, "97: no such file; .* v4l2://97"),
    "no such camera": ("v4l2://97", CameraError, "no such camera, or it is in use; devices on"),
    "an unknown kind": ("gopher://ann:pw@x", UsageError, r"gopher://\*\*\*@x: unknown kind"),
    "no such scene": ("synthetic://moon", UsageError, "known: room, corridor, yard"),
    "no such seed": ("synthetic://room?seed=x", UsageError, "seed is 'x', expected a number"),
    "neither live nor not": ("synthetic://room?live=x", UsageError, "live is 'x', expected 0 or 1"),
    "no address": ("rtsp://ann:p[x@cam/live", UsageError, r"//\*\*\*@cam/live is not an address"),
    "a raw slash": (
        "rtsp://ann:p/w@cam/live",
        UsageError,
        r"cam/live is not .* write %2F for /",
    ),
    "a raw hash": ("rtsp://ann:p#w@cam/live", UsageError, "is not an address; .* %23 for #"),
    "a raw ?": ("rtsp://ann:p?w@cam/live", UsageError, r"is not an address; .* %3F for \?"),
    "a raw / first": ("rtsp://ann:/w@cam/live", UsageError, "is not an address; .* %2F for /"),
    "a raw # after digits": ("rtsp://127.0.0.1:9#w@cam/x", CameraError, "no answer.* %23 for #"),
    "no sensor": ("csi://front", UsageError, "expected the number of a sensor"),
    "no scheme": ("ann:pw@cam/live", UsageError, r"^\*\*\*@cam/live: no such file; a camera's"),
    "one slash": ("rtsp:/ann:pw@cam/live", UsageError, r"^rtsp:/\*\*\*@cam/live: no such file"),
    "nobody there": ("rtsp://ann:pw@127.0.0.1:9/x", CameraError, r"rtsp://\*\*\*@127.*no answer"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_opened_is_said_in_a_sentence(what: str, tmp_path: Path) -> None:
    (tmp_path / "none.mp4").write_bytes(b"not a video" * 100)
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    url, kind, words = WRONG[what]
    with pytest.raises(kind, match=words) as told:
        Camera(url.format(tmp_path))
    assert "pw@" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("2024-05-01T12:30:00.avi", "{name}"),
        ("csi:front.avi", "{name}"),
        ("2024-05-01T12:30:00.avi", "{folder}/{name}"),
        ("my video.avi", "file://{folder}/my%20video.avi"),
        ("my%20video.avi", "file://{folder}/my%20video.avi"),
        ("my video.avi", "FILE://localhost{folder}/my%20video.avi"),
        ("GREY.AVI", "{name}"),
    ],
)
def test_names_of_recordings(
    name: str, form: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    video.rename(folder / name)
    monkeypatch.chdir(folder)
    with Camera(form.format(name=name, folder=folder)) as source:
        assert len(all_frames(source)) == 10


def test_a_scheme_in_upper_case_is_known() -> None:
    with Camera("SYNTHETIC://yard") as source:
        assert source.fps == 15


def test_csi_needs_gstreamer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GStreamer:     NO\n")
    with pytest.raises(CameraError, match="csi://0 needs an OpenCV with GStreamer"):
        Camera("csi://0")


class Wire:
    """A live source that the test feeds: pictures, None for the end, and refusals to open.

    A read waits until something comes, or the test hangs up.
    """

    def __init__(self) -> None:
        self.live, self.fps = True, 25.0
        self.given: list[np.ndarray | None] = []
        self.refusals = 0
        self.opened: list[float] = []
        self.more = threading.Condition()
        self.waiting = self.over = False

    def open(self, url: str, value_range: None = None) -> Wire:
        self.opened.append(time.monotonic())
        if len(self.opened) > 1 and self.refusals > 0:
            self.refusals -= 1
            raise CameraError("no")
        return self

    def feed(self, *items: np.ndarray | None) -> None:
        """Give items; they are where `take` finds them when the next one is asked for."""
        with self.more:
            self.given += items
            self.waiting = False
            self.more.notify_all()
            if items[-1] is not None:
                assert self.more.wait_for(lambda: self.waiting, 60)

    def read(self) -> Decoded | None:
        with self.more:
            self.waiting = not self.given
            self.more.notify_all()
            self.more.wait_for(lambda: bool(self.given) or self.over)
            item = self.given.pop(0) if self.given else None
        return None if item is None else Decoded(item)

    def hang_up(self) -> None:
        with self.more:
            self.over = True
            self.more.notify_all()

    @contextmanager
    def camera(self, url: str = "rtsp://x", **options: float) -> Iterator[Camera]:
        with Camera(url, **options) as source:  # type: ignore[arg-type]
            try:
                yield source
            finally:
                self.hang_up()

    def skip(self) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr(camera, "open_reader", made.open)
    monkeypatch.setattr(camera, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(camera, "TIMEOUT_S", 60.0)
    return made


def grey(level: int) -> np.ndarray:
    return np.full((32, 32, 3), level, np.uint8)


def test_only_the_newest_frame_is_given_and_the_others_are_counted(wire: Wire) -> None:
    with wire.camera() as source:
        wire.feed(grey(1), grey(2), grey(3))
        item = source.take()
        assert isinstance(item, Frame)
        assert (item.image[0, 0, 0], item.number, source.dropped) == (3, 2, 2)
        assert source.take() is None


def until(source: Camera, kind: str) -> CameraEvent:
    """The next event; frames before it are passed over."""

    def event() -> CameraEvent | None:
        item = source.take()
        return item if isinstance(item, CameraEvent) else None

    found: CameraEvent = wait_for(event)
    assert found.kind == kind
    return found


def test_a_source_that_dies_is_reported_once_and_opened_again_ever_more_rarely(wire: Wire) -> None:
    with wire.camera("rtsp://ann:pw@x") as source:
        wire.feed(grey(1))
        wire.refusals = 3
        wire.feed(None)
        assert "pw" not in until(source, "lost").text
        wait_for(lambda: len(wire.opened) == 5)
        waits = np.diff(wire.opened[1:])
        assert (waits > np.array([0.1, 0.2, 0.4]) - 0.01).all()
        wire.feed(grey(2))
        until(source, "back")
        item = source.take()
        assert isinstance(item, Frame)
        assert item.image[0, 0, 0] == 2


def test_a_frozen_picture_is_an_event_and_so_is_its_end(wire: Wire) -> None:
    with wire.camera(frozen_s=0.1) as source:
        item: object = None
        while not isinstance(item, CameraEvent):
            wire.feed(grey(7))
            item = source.take()
        assert item.kind == "frozen"
        other = grey(7)
        other[5, 5] = 8  # as the seconds of a clock in the picture
        wire.feed(other)
        until(source, "moving")


def test_a_thread_that_breaks_says_so_and_ends(wire: Wire) -> None:
    def broken() -> None:
        raise MemoryError("a picture of a petabyte")

    with wire.camera("rtsp://ann:pw@x") as source:
        wire.feed(grey(1))
        wire.read = broken  # type: ignore[method-assign, assignment]
        wire.feed(None)
        assert "is lost" in until(source, "lost").text
        assert "cannot be read any more (MemoryError)" in until(source, "lost").text
        wait_for(lambda: source.ended)


def test_closing_ends_the_thread(wire: Wire) -> None:
    source = Camera("rtsp://x")
    (thread,) = (each for each in threading.enumerate() if each.name == "rtsp://x")
    # A read that is under way ends by itself.
    threading.Timer(0.05, wire.hang_up).start()
    source.close()
    source.close()
    assert not thread.is_alive()
    assert source.ended


# ------------------------------------------------------------------ a real RTSP server


def serve(port: int, *account: str) -> subprocess.Popen[str]:
    words = ["/usr/bin/python3", str(SERVER), str(port), *account]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        pytest.skip("no GStreamer RTSP server: apt-get install $(cat tests/packages.txt)")
    return process


@pytest.fixture
def rtsp() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """rtsp(account): a running server and the address of its camera."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("no /usr/bin/python3 for GStreamer's RTSP server")
    running: list[subprocess.Popen[str]] = []

    def start(*account: str, port: int = 0) -> tuple[subprocess.Popen[str], str]:
        port = port or free_port()
        running.append(serve(port, *account))
        return running[-1], f"127.0.0.1:{port}/cam"

    yield start
    for process in running:
        process.kill()
        process.wait()


def take_frame(source: Camera) -> Frame:
    def frame() -> Frame | None:
        item = source.take()
        return item if isinstance(item, Frame) else None

    found: Frame = wait_for(frame)
    return found


@pytest.mark.slow
def test_an_rtsp_camera_that_is_killed_and_comes_back(rtsp) -> None:  # type: ignore[no-untyped-def]
    process, address = rtsp()
    begun = steady()
    with Camera(f"rtsp://{address}") as source:
        first = take_frame(source)
        assert first.image.shape == (240, 320, 3)
        assert begun <= first.at <= steady()
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(source, "lost")
        rtsp(port=int(address.split(":")[1].split("/")[0]))
        until(source, "back")
        assert take_frame(source).number > first.number


@pytest.mark.slow
def test_a_wrong_password_appears_nowhere(rtsp) -> None:  # type: ignore[no-untyped-def]
    """Neither in our words nor in what OpenCV and FFmpeg print by themselves."""
    _, address = rtsp("ann", "s3cret")
    with Camera(f"rtsp://ann:s3cret@{address}") as source:
        take_frame(source)
    program = "import sys; from edge.camera.camera import Camera; Camera(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, f"rtsp://ann:wr0ng@{address}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "cannot open rtsp://***@127.0.0.1" in done.stderr
    assert "wrong user or password" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr
