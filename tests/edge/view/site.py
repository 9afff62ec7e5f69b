"""A site for the tests of the view: real watching of a block that walks over a grey scene."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from edge.camera.source import Frame
from edge.loop.channel import Channel
from edge.loop.pipeline import FrameResult
from edge.scene.background import certain
from edge.scene.repaint import Repaint
from edge.things.find import find_things
from edge.things.ground import Ground
from edge.things.metres_file import MetresFile
from edge.things.tracks import Tracker
from edge.view.feed import Feed
from edge.view.server import ViewServer
from edge.watch.config import CameraConfig, Recordings, WatchConfig
from edge.watch.outputs import StandardOutputs
from edge.watch.watch import Watch, Watched, settings_of, zones_file, zones_of
from edge.watch.watcher import Watcher
from edge.zones.file import write_zones
from edge.zones.zone import Zone

from ..sinks.broker import free_port

HEIGHT, WIDTH, FPS = 120, 160, 20.0
CROSSES_S = 4.0
"""Seconds that the block takes from the left to the right; then it begins again."""
PERSON = (20, 60, 240)
"""BGR of the block."""
SCENE = certain(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))

DEPTH = np.tile(np.linspace(0, 1, HEIGHT // 2, dtype=np.float32)[:, None], (1, WIDTH // 2))
GROUND = Ground(np.full((HEIGHT // 2, WIDTH // 2, 3), 90, np.uint8), DEPTH)


def seen(number: int) -> FrameResult:
    """The result of a frame, as a build of half its size sees it."""
    left = round(number / FPS % CROSSES_S / CROSSES_S * (WIDTH - 20))
    image, mask = SCENE.image.copy(), np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    image[50:100, left : left + 20] = PERSON
    mask[25:50, left // 2 : left // 2 + 10] = 255
    return FrameResult(
        frame=Frame(image, number, number / FPS, time.monotonic()),
        mask=mask,
        depth=DEPTH,
        foreground=0.05,
        things=find_things(mask, DEPTH, (HEIGHT, WIDTH), GROUND),
        offset=None,
        background=SCENE,
        fits=True,
        events=[],
        busy_ms=1.0,
        latency_ms=2.0,
    )


class Paced:
    """A camera that gives FPS frames a second until it is told to end."""

    live, fps, timed, cut_off, unreadable, dropped = False, FPS, True, False, 0, 3

    def __init__(self, name: str) -> None:
        self.name, self.ended, self.number = name, False, 0
        self._next = time.monotonic()

    def take(self) -> Frame | None:
        time.sleep(max(0.0, self._next - time.monotonic()))
        if self.ended:
            return None
        self._next = time.monotonic() + 1 / FPS
        self.number += 1
        return seen(self.number).frame

    def close(self) -> None:
        self.ended = True


class Site:
    """Cameras that are watched, and their view at `url`.

    Args:
        folder: where the zones of each camera are.
        names: of the cameras; one that ends in `-bare` has no file of zones.
        zones: of each camera at the beginning.
        token: of the view.
        redact: as of Recordings.
        metres: the cameras have files of metres, which are not there yet.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str] = ("door",),
        zones: Sequence[Zone] = (),
        token: str | None = None,
        redact: str | None = None,
        metres: bool = False,
    ) -> None:
        self.token, self.zones = token, folder / f"{names[0]}.json"
        self.metres = folder / f"{names[0]}.metres.json"
        self.cameras: dict[str, Paced] = {}
        cameras = []
        for name in names:
            path = None if name.endswith("-bare") else folder / f"{name}.json"
            if path is not None:
                write_zones(path, zones)
            file = folder / f"{name}.metres.json" if metres else None
            source = f"rtsp://user:secret@{name}/stream"
            cameras.append(CameraConfig(name, source, zones=path, metres=file))
        recordings = None if redact is None else Recordings(clips=False, redact=redact)
        config = WatchConfig(tuple(cameras), folder=folder, recordings=recordings)
        self.outputs = StandardOutputs()
        self.watching = Watch(config, self._open, self.outputs)
        self.place = f"127.0.0.1:{free_port()}"
        self.show()
        self._thread = threading.Thread(target=self.watching.run, daemon=True)
        self._thread.start()
        wait_for(lambda: len(self.watching.watched) == len(names))

    def show(self) -> None:
        """Open the view, at the same place as before."""
        feed = Feed(self.watching)
        self.server = ViewServer(feed, self.place, self.token)
        self.outputs.view, self.url = feed, self.server.url

    def hide(self) -> None:
        """Close the view; watching goes on."""
        self.outputs.view = None
        self.server.close()

    def close(self) -> None:
        for camera in self.cameras.values():
            camera.ended = True
        self._thread.join(10)
        self.hide()

    def _open(self, config: CameraConfig, wake: threading.Event) -> Watched:
        file = zones_file(config)
        camera = self.cameras[config.name] = Paced(config.name)
        settings = settings_of(config, zones_of(file))
        watcher = Watcher(config.name, (HEIGHT, WIDTH), settings, Tracker())
        pipeline: Any = SimpleNamespace(
            camera=camera, process=lambda frame: seen(frame.number), close=lambda: None,
            size=(HEIGHT, WIDTH), background=SCENE, ground=GROUND, since=time.monotonic(),
            learns=True, learning=False, repaint=Repaint(), confirm=lambda: True,
        )  # fmt: skip
        metres = config.metres and MetresFile(config.metres, (HEIGHT, WIDTH), "")
        return Watched(config, Channel(pipeline), watcher, ExitStack(), file, None, metres)

    @property
    def feed(self) -> Feed:
        return self.server.feed

    @property
    def told(self) -> list[str]:
        """Kind and zone of every event that the view has, in short."""
        return [f"{each.event.kind} {each.event.zone}" for each in self.feed.told(0)]

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> Answer:
        """One request; of this origin, if nothing else is said."""
        connection = http.client.HTTPConnection(self.place, timeout=20)
        own = {"Origin": f"http://{self.place}", **headers}
        connection.request(method, path, body, {k: v for k, v in own.items() if v != ""})
        answer = connection.getresponse()
        try:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def live(self, origin: str | None = None, headers: Mapping[str, str] = {}) -> ClientConnection:
        """The WebSocket of a page."""
        return connect(
            f"ws://{self.place}/live",
            origin=Origin(origin or f"http://{self.place}"),
            additional_headers=headers,
            proxy=None,
        )


class Answer:
    """An answer to a request."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def state(site: Site) -> dict[str, Any]:
    """The state that a page gets."""
    with site.live() as page:
        page.send('{"state": 0}')
        found: dict[str, Any] = json.loads(page.recv(20))
        return found


def parts(message: bytes) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Header, frame and depth of a message."""
    length = int.from_bytes(message[:4], "big")
    header = json.loads(message[4 : 4 + length])
    jpegs = message[4 + length :]
    frame, depth = jpegs[: header["frame"]], jpegs[header["frame"] :]
    return header, *(
        np.asarray(cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR))
        for each in (frame, depth)
    )


def wait_for(done: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
