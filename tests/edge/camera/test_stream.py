"""Network streams and recordings of web servers, served by this test."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.camera import network_stream
from edge.camera.camera import Camera
from edge.camera.schemes import stream as module
from edge.camera.source import CameraError, CameraEvent, Frame
from edge.camera.video import Video
from edge.clock import steady

FRAMES = 40


class Handler(BaseHTTPRequestHandler):
    """Files with and without ranges, one that breaks off, a live camera, and refusals."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        kind, _, name = self.path.lstrip("/").partition("/")
        if kind == "live":
            self.live()
        elif kind in ("401", "404"):
            self.send_error(int(kind))
        else:
            self.file(kind, (self.folder / name).read_bytes())

    def file(self, kind: str, data: bytes) -> None:
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        ranges = kind == "ranges" and wanted is not None
        first = int(wanted[1]) if ranges and wanted else 0
        last = int(wanted[2] or len(data) - 1) if ranges and wanted else len(data) - 1
        self.send_response(206 if ranges else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        if ranges:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        body = data[first : last + 1]
        self.wfile.write(body[: len(body) // 2] if kind == "breaks" else body)
        self.close_connection = kind == "breaks"

    def live(self) -> None:
        """Motion JPEG as cameras send it, with a length that means nothing; it ends."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.send_header("Content-Length", "99999999")
        self.end_headers()
        for number in range(50):
            jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 4 * number, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            with suppress(OSError):  # the camera was closed
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(0.01)
        self.close_connection = True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a web server of tmp_path, with a.mp4 and a.avi of FRAMES frames, 10 a second."""
    for name in ("a.mp4", "a.avi"):
        video = Video(tmp_path / name, (48, 64), 10)
        for number in range(FRAMES):
            video.write(np.full((48, 64, 3), 6 * number, np.uint8))
        video.close()
    web = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Folder", (Handler,), {"folder": tmp_path})
    )  # fmt: skip
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_address[1]}"
    web.shutdown()
    web.server_close()


def watch(url: str) -> tuple[list[Frame], list[CameraEvent]]:
    frames: list[Frame] = []
    events: list[CameraEvent] = []
    with Camera(url) as camera:
        assert not camera.live
        while not camera.ended:
            item = camera.take()
            if isinstance(item, Frame):
                frames.append(item)
            elif item is not None:
                events.append(item)
    return frames, events


@pytest.mark.parametrize("place", ["ranges/a.mp4", "ranges/a.avi", "plain/a.avi"])
def test_a_recording_of_a_web_server_gives_every_frame(place: str, server: str) -> None:
    frames, events = watch(f"{server}/{place}")
    assert not events
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert frames[-1].at == pytest.approx(3.9)
    assert frames[-1].image.mean() == pytest.approx(234, abs=6)


def test_a_finished_playlist_is_a_recording(server: str, tmp_path: Path) -> None:
    options = {"hls_time": "1", "hls_list_size": "0"}
    with av.open(str(tmp_path / "a.m3u8"), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            image = np.full((48, 64, 3), 6 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    frames, events = watch(f"{server}/ranges/a.m3u8")
    assert (len(frames), events) == (FRAMES, [])
    assert frames[-1].at == pytest.approx(3.9)


def test_a_recording_that_breaks_off_is_a_failure(server: str) -> None:
    with pytest.raises(CameraError, match=r"reading http://127.*a\.avi failed after \d+ frames: "):
        watch(f"{server}/breaks/a.avi")


def test_a_camera_over_http_is_live_and_its_end_a_loss(server: str) -> None:
    frames, begun = 0, steady()
    with Camera(f"{server}/live") as camera:
        assert camera.live
        while not isinstance(item := camera.take(), CameraEvent):
            if item is not None:
                frames += 1
                assert begun <= item.at <= steady()
            time.sleep(0.002)
        assert item.kind == "lost"
        assert frames and frames + camera.dropped > 20


def test_a_snapshot_is_one_frame(server: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "now.jpg"), np.full((48, 64, 3), 90, np.uint8))
    frames, _ = watch(f"{server}/plain/now.jpg")
    assert len(frames) == 1


REFUSED = {
    "401": "wrong user or password",
    "404": "has no such path",
    "plain/text.txt": "no video",
}


@pytest.mark.parametrize("place", REFUSED)
def test_refusals_name_their_cause(place: str, server: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(bytes(range(256)) * 30)
    url = f"{server}/{place}".replace("http://", "http://ann:s3cret@")
    with pytest.raises(CameraError, match=REFUSED[place]) as told:
        Camera(url)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("scheme", ["rtsp", "http", "tcp"])
def test_a_host_that_never_answers_is_given_up(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://ann:s3cret@127.0.0.1:{silent.getsockname()[1]}/live"
        start = time.monotonic()
        with pytest.raises(CameraError, match=r"no answer within 0\.5 s") as told:
            Camera(url)
    assert time.monotonic() - start < 30
    assert "s3cret" not in str(told.value)


def test_nothing_else_prints_a_password() -> None:
    """FFmpeg prints addresses by itself unless it is told not to."""
    program = "import sys; from edge.camera.camera import Camera; Camera(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, "rtsp://ann:s3cret@127.0.0.1:9/x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "CameraError: cannot open rtsp://***@127.0.0.1:9/x: no answer" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_the_limit_is_that_of_streams() -> None:
    assert module.TIMEOUT_S == network_stream.TIMEOUT_S == 5
