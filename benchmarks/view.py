"""What the view costs the loop: frames with nobody at the page, and with three viewers.

Two of them read, one asks for pictures and never reads. Spells with and without them alternate.
Besides the time of a frame as it passed, there is the time without what the loop's thread waited
for a core (on Linux): on a machine that does other things too, that is most of it, and chance.
Run: python -m edge.benchmarks.view VIDEO BUILD
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

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
QUEUED = Path("/proc/thread-self/schedstat")
"""What Linux counts of a thread; the second number is nanoseconds of waiting for a core."""
SETTLE_S, COME_S = 2.5, 60.0
"""Seconds until viewers that went are forgotten, and for viewers to come at most."""


class _Silent(StandardOutputs):
    """Events go to the view alone."""

    def put(self, event: Event) -> None:
        if self.view is not None:
            self.view.event(event)


def _queued_ms() -> float:
    """Milliseconds for which this thread waited for a core; 0 where nobody counts them."""
    try:
        return int(QUEUED.read_text().split()[1]) / 1e6
    except OSError:
        return 0.0


@dataclass
class Spells:
    """Frames of several spells.

    Attributes:
        passed: milliseconds of each frame.
        own: the same without waiting for a core.
        spent: milliseconds of processor time of the whole process, for each frame.
    """

    passed: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    spent: float = 0.0

    @staticmethod
    def joined(spells: Sequence[Spells]) -> Spells:
        """All of them as one."""
        return Spells(
            [ms for each in spells for ms in each.passed],
            [ms for each in spells for ms in each.own],
            fmean(each.spent for each in spells),
        )


@contextmanager
def _viewers(place: str) -> Iterator[None]:
    """Three viewers in a process of their own."""
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--look", place])
    try:
        yield
    finally:
        process.kill()
        process.wait()
        time.sleep(SETTLE_S)


def look(place: str) -> None:
    """Be the three viewers."""
    from websockets.sync.client import connect
    from websockets.typing import Origin

    def viewer(reads: bool) -> None:
        with connect(f"ws://{place}/live", origin=Origin(f"http://{place}"), proxy=None) as page:
            number = 0
            page.send(json.dumps({"state": 0}))
            while True:
                page.send(json.dumps({"camera": NAME, "number": number}))
                if not reads:
                    time.sleep(1 / FPS)
                    continue
                while isinstance(message := page.recv(), str):
                    page.send(json.dumps({"state": json.loads(message)["last"]}))
                length = int.from_bytes(message[:4], "big")
                number = json.loads(message[4 : 4 + length])["number"]

    threads = [threading.Thread(target=viewer, args=(reads,)) for reads in (True, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(
    video: str, build: Path, place: str, rounds: int, seconds: float
) -> tuple[Spells, Spells]:
    """The frames, watching included: with nobody, and with three viewers.

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

        def spell() -> Spells:
            nonlocal number
            begin, spent, found = time.monotonic(), time.process_time(), Spells()
            for index in range(round(seconds * FPS)):
                time.sleep(max(0.0, begin + index / FPS - time.monotonic()))
                kept, number = frames[number % len(frames)], number + 1
                frame = replace(kept, number=number, at=number / FPS, arrived=time.monotonic())
                queued, start = _queued_ms(), time.perf_counter()
                watching.on_frame(channel, channel.process(frame))
                found.passed.append(1e3 * (time.perf_counter() - start))
                found.own.append(max(0.0, found.passed[-1] - (_queued_ms() - queued)))
            found.spent = 1e3 * (time.process_time() - spent) / len(found.passed)
            return found

        def watched_spell() -> Spells:
            with _viewers(place):
                until = time.monotonic() + COME_S
                while not server.feed.slot(NAME).due:
                    if time.monotonic() > until:
                        raise EdgeError(f"no viewer came within {COME_S:.0f} seconds")
                    time.sleep(0.05)
                return spell()

        spell()
        alone, looked_at = interleave([spell, watched_spell], rounds)
    return Spells.joined(alone), Spells.joined(looked_at)


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
    _print(alone, looked_at)
    return 0


def _print(alone: Spells, looked_at: Spells) -> None:
    """Print the table."""
    own = "without waiting for a core"
    print(f"| who looks | frames | p50, ms | p99, ms | p50 {own} | p99 {own} | processor, ms |")
    print(f"| --- {'| --: ' * 6}|")
    rows = [
        np.array(
            [*np.percentile(each.passed, (50, 99)), *np.percentile(each.own, (50, 99)), each.spent]
        )
        for each in (alone, looked_at)
    ]
    names = "nobody", "three, one of which does not read", "ratio"
    counts = len(alone.passed), len(looked_at.passed), ""
    for name, count, row in zip(names, counts, (*rows, rows[1] / rows[0]), strict=True):
        print(f"| {name} | {count} | {' | '.join(f'{each:.2f}' for each in row)} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
