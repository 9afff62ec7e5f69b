"""What the view costs the loop: frames with nobody at the page, and with three viewers.

Two of them read, one asks for pictures and never reads. Spells with and without them alternate.
Run: python -m edge.benchmarks.view VIDEO BUILD
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import edge
from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.errors import EdgeError
from edge.events.event import Event
from edge.interleave import interleave
from edge.loop.channel import Channel
from edge.loop.learn import learn_scene
from edge.loop.pipeline import CameraPipeline
from edge.things.tracks import Tracker
from edge.view.feed import Feed
from edge.view.server import ViewServer
from edge.watch.config import CameraConfig, WatchConfig
from edge.watch.outputs import StandardOutputs
from edge.watch.watch import Watch, Watched
from edge.watch.watcher import Settings, Watcher

NAME = "camera"
FPS = 15.0
LEARNED, KEPT = 60, 300
"""Frames of the video that the background is made of, and that are shown again and again."""
SETTLE_S = 2.5
"""Seconds for viewers to come, and until those that went are forgotten."""


class _Silent(StandardOutputs):
    """Events go to the view alone."""

    def put(self, event: Event) -> None:
        if self.view is not None:
            self.view.event(event)


@contextmanager
def _viewers(place: str) -> Iterator[None]:
    """Three viewers in a process of their own."""
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--look", place])
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        process.kill()
        process.wait()
        time.sleep(SETTLE_S)


def look(place: str) -> None:
    """Be the three viewers."""
    # Browsers are other machines: here they are not to take a core from the camera.
    os.nice(19)
    from websockets.sync.client import connect
    from websockets.typing import Origin

    def viewer(reads: bool) -> None:
        with connect(f"ws://{place}/live", origin=Origin(f"http://{place}"), proxy=None) as page:
            number = 0
            while True:
                page.send(json.dumps({"camera": NAME, "number": number}))
                if reads:
                    message = page.recv()
                    assert isinstance(message, bytes)
                    length = int.from_bytes(message[:4], "big")
                    number = json.loads(message[4 : 4 + length])["number"]
                else:
                    time.sleep(1 / FPS)

    threads = [threading.Thread(target=viewer, args=(reads,)) for reads in (True, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(
    video: str, build: Path, place: str, rounds: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Milliseconds of each frame, watching included: with nobody, and with three viewers.

    Args:
        video: shown at FPS, on one thread of the runtime.
        build: with a mask.
        place: HOST:PORT of the view.
        rounds: spells of each kind.
        seconds: of a spell.
    """
    with ExitStack() as stack:
        camera = stack.enter_context(Camera(video))
        read = (camera.take() for _ in range(LEARNED + KEPT))
        frames = [frame for frame in read if isinstance(frame, Frame)]
        h = stack.enter_context(edge.open(build, 1))
        bg = learn_scene(h, [frame.image for frame in frames[:LEARNED:5]])
        channel = Channel(CameraPipeline(camera, h, bg))
        watcher = Watcher(NAME, channel.pipeline.size, Settings(), Tracker())
        config, outputs = CameraConfig(NAME, video), _Silent()
        watching = Watch(WatchConfig((config,)), _never, outputs)
        watching.watched[NAME] = Watched(config, channel, watcher, ExitStack(), None)
        server = ViewServer(Feed(watching), place)
        stack.callback(server.close)
        outputs.view = server.feed
        number = 0

        def spell() -> list[float]:
            nonlocal number
            begin, times = time.monotonic(), []
            for index in range(round(seconds * FPS)):
                time.sleep(max(0.0, begin + index / FPS - time.monotonic()))
                kept, number = frames[number % len(frames)], number + 1
                frame = replace(kept, number=number, at=number / FPS, arrived=time.monotonic())
                start = time.perf_counter()
                watching.on_frame(channel, channel.process(frame))
                times.append(1e3 * (time.perf_counter() - start))
            return times

        def watched_spell() -> list[float]:
            with _viewers(place):
                times = spell()
            if outputs.view is None or outputs.view.slot(NAME).look is None:
                raise EdgeError("the viewers asked for no picture", "give --place a free port")
            return times

        spell()
        alone, looked_at = interleave([spell, watched_spell], rounds)
    return [ms for each in alone for ms in each], [ms for each in looked_at for ms in each]


def _never(*_: object) -> Watched:
    raise NotImplementedError


def main(words: Sequence[str]) -> int:
    """Measure and print a table."""
    if words[:1] == ["--look"]:
        look(words[1])
        return 0
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("build", type=Path)
    parser.add_argument("--place", default="127.0.0.1:8711", help="HOST:PORT of the view")
    parser.add_argument("--rounds", type=int, default=10, help="spells of each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a spell")
    given = parser.parse_args(words)
    try:
        alone, looked_at = measure(
            given.video, given.build, given.place, given.rounds, given.seconds
        )
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("| who looks | frames | p50, ms | p99, ms |\n| --- | --: | --: | --: |")
    shown = [np.percentile(times, (50, 99)) for times in (alone, looked_at)]
    for name, times, (p50, p99) in zip(
        ("nobody", "three, one of which does not read"), (alone, looked_at), shown, strict=True
    ):
        print(f"| {name} | {len(times)} | {p50:.2f} | {p99:.2f} |")
    ratios = shown[1] / shown[0]
    print(f"| ratio | | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
