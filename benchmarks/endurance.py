"""`make endurance`: what stays flat, and equal, in long runs.

    python -m edge.benchmarks.endurance BUILD... [--frames N] [--backgrounds N] [--days N]

Each build gets frames, then backgrounds; the first build also watches a rendered yard for simulated
days, with upkeep of its scene, snapshots and clips. Each part has a process of its own. Resident
memory, descriptors and threads of the last three quarters may not grow, equal images have to give
equal bytes, and the days equal events. The exit code is 1 where something of it fails.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import edge
from edge.benchmarks.upkeep import SIZE, Camera, Inline, Yard, picture, things
from edge.calibrate.rendering.samples import Rendered
from edge.camera.source import Frame
from edge.loop.learn import learn_scene, learn_spread
from edge.loop.pipeline import CameraPipeline
from edge.progress import track
from edge.runtime.handle import Outputs
from edge.samples.sample import Image
from edge.scene.bank import first_entry
from edge.scene.upkeep import Upkeep
from edge.sinks.recorder import Recorder
from edge.things.tracks import Tracker
from edge.watch.watcher import Settings, Watcher

SCENES, FRAMES_OF_A_SCENE, SEED = 4, 8, 31
GROWTH_MB = 8.0
"""Growth of the resident memory that is none: pieces of the heap that come and go."""
HOUR_S, DAY_S = 3600, 86_400
VISIT_S, STILL_S = 60, 10
"""At the begin of each hour somebody walks through, with a frame every second; then comes a frame
of the empty yard every so many seconds."""
NOON_S = 4 * HOUR_S
"""Of the yard of edge.benchmarks.upkeep, which begins at eight."""
EMPTY = 12
"""Different frames of the empty yard: what differs is the noise."""
LIMIT_MB = 20
"""Of snapshots and clips."""


@dataclass(frozen=True)
class Usage:
    """What a process holds."""

    resident_mb: float
    descriptors: int
    threads: int


def usage() -> Usage:
    """Measure this process, without what it could give back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    descriptors = len(os.listdir("/proc/self/fd"))
    threads = len(os.listdir("/proc/self/task"))
    return Usage(pages * resource.getpagesize() / 1e6, descriptors, threads)


@dataclass(frozen=True)
class Result:
    """A part that ran to its end.

    Attributes:
        text: What ran.
        before, after: Usage after a quarter and at the end.
        different: What was not as the first time.
    """

    text: str
    before: Usage
    after: Usage
    different: int

    @property
    def grown_mb(self) -> float:
        return self.after.resident_mb - self.before.resident_mb

    @property
    def failed(self) -> bool:
        return bool(
            self.different
            or self.grown_mb > GROWTH_MB
            or self.after.descriptors > self.before.descriptors
            or self.after.threads > self.before.threads
        )

    def row(self) -> str:
        """A line of the table."""
        cells = [self.text, f"{self.before.resident_mb:.0f}", f"{self.grown_mb:+.1f}"]
        cells.append(f"{self.before.descriptors} to {self.after.descriptors}")
        cells.append(f"{self.before.threads} to {self.after.threads}")
        return f"| {' | '.join([*cells, str(self.different)])} |"


HEAD = (
    "| part | MB after a quarter | grown by | descriptors | threads | different |\n"
    "| --- | --: | --: | --: | --: | --: |"
)


def _planes(outputs: Outputs) -> list[npt.NDArray[np.generic]]:
    """Copies of mask and depth, which further frames do not overwrite."""
    return [plane.copy() for plane in outputs if plane is not None]


def _same(outputs: Outputs, first: Sequence[npt.NDArray[np.generic]]) -> bool:
    planes = (plane for plane in outputs if plane is not None)
    return all(map(np.array_equal, planes, first))


def frames(build: Path, count: int) -> Result:
    """Frames of one scene, every other one submitted and waited for."""
    with edge.open(build, threads=1) as h:
        rendered = Rendered(FRAMES_OF_A_SCENE, (h.height, h.width), SEED, FRAMES_OF_A_SCENE)
        samples = [rendered[number] for number in range(FRAMES_OF_A_SCENE)]
        edge.set_background(h, samples[0].bg)
        first = [_planes(edge.infer(h, sample.fg_bg)) for sample in samples]
        different, before = 0, usage()
        for number in range(count):
            if number == count // 4:
                before = usage()
            which = number % FRAMES_OF_A_SCENE
            frame = samples[which].fg_bg
            if number // FRAMES_OF_A_SCENE % 2:
                outputs = edge.infer(h, frame)
            else:
                outputs = edge.wait(h, edge.submit(h, frame))
            different += not _same(outputs, first[which])
        return Result(f"{h.manifest.name}: {count:,} frames", before, usage(), different)


def backgrounds(build: Path, count: int) -> Result:
    """Backgrounds, each with one frame."""
    with edge.open(build, threads=1) as h:
        rendered = Rendered(SCENES, (h.height, h.width), SEED, frames_per_scene=1)
        samples = [rendered[number] for number in range(SCENES)]
        first: dict[int, list[npt.NDArray[np.generic]]] = {}
        different, before = 0, usage()
        for number in range(count):
            if number == count // 4:
                before = usage()
            which = number % SCENES
            edge.set_background(h, samples[which].bg, samples[which].spread)
            outputs = edge.infer(h, samples[which].fg_bg)
            different += not _same(outputs, first.setdefault(which, _planes(outputs)))
        return Result(f"{h.manifest.name}: {count:,} backgrounds", before, usage(), different)


def watching(build: Path, days: int) -> Result:
    """Days of a yard at noon, in which somebody walks through at the begin of each hour."""
    yard = Yard()
    empty = [picture(yard, NOON_S + number, [])[0] for number in range(EMPTY)]
    visit = [picture(yard, NOON_S + number, things(number))[0] for number in range(VISIT_S)]
    with tempfile.TemporaryDirectory(prefix="edge-endurance-") as folder:
        week = _Week(build, empty, Path(folder))
        by_day: list[int] = []
        hours = DAY_S // HOUR_S
        before = usage()
        for day in range(days):
            if day == max(1, days // 4):
                before = usage()
            by_day.append(0)
            for hour in track(range(hours), hours, f"day {day + 1}"):
                begin = day * DAY_S + hour * HOUR_S
                for number, image in enumerate(visit):
                    by_day[-1] += week.see(image, begin + number)
                for number in range(VISIT_S, HOUR_S, STILL_S):
                    by_day[-1] += week.see(empty[number // STILL_S % EMPTY], begin + number)
        different = sum(count != by_day[0] or not count for count in by_day)
        different += week.recorded() > LIMIT_MB * 1_000_000
        text = f"{build.name}: {days} days of watching, {sum(by_day)} events"
        result = Result(text, before, usage(), different)
        week.close()
    return result


class _Week:
    """A camera that is watched: its scene is kept fresh, its events have snapshots and clips."""

    def __init__(self, build: Path, empty: list[Image], folder: Path) -> None:
        self._h, self._judge = edge.open(build, 1), edge.open(build, 1)
        background = learn_scene(self._judge, empty)
        upkeep = Upkeep(
            [first_entry(background)],
            lambda images, bg: learn_spread(self._judge, images, bg),
            pool=Inline(),
        )
        camera: Any = Camera()
        self._pipeline = CameraPipeline(camera, self._h, background, upkeep=upkeep)
        self._second = 0.0
        self._watcher = Watcher("yard", SIZE, Settings(), Tracker(), clock=lambda: self._second)
        self._pipeline.followed = self._watcher.followed
        self._folder = folder
        self._recorder = Recorder(folder, LIMIT_MB * 1_000_000)

    def see(self, image: Image, second: float) -> int:
        """The number of events that a frame makes."""
        self._second = second
        result = self._pipeline.process(Frame(image, 0, second, time.monotonic()))
        return len(self._recorder.frame("yard", result, self._watcher.frame(result), live=False))

    def recorded(self) -> int:
        """Bytes of all recordings."""
        return sum(file.stat().st_size for file in self._folder.iterdir())

    def close(self) -> None:
        self._recorder.close()
        self._pipeline.close()
        edge.close(self._h)
        edge.close(self._judge)


def main(words: Sequence[str]) -> int:
    """Run everything and print the table; returns the exit code."""
    parser = ArgumentParser("make endurance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("builds", type=Path, nargs="+", metavar="BUILD")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--backgrounds", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=7, help="simulated days of watching")
    given = parser.parse_args(words)
    parts: list[tuple[Callable[[Path, int], Result], Path, int]] = []
    for build in given.builds:
        parts += [(frames, build, given.frames), (backgrounds, build, given.backgrounds)]
    parts.append((watching, given.builds[0], given.days))
    print(HEAD)
    failed = False
    for part, build, amount in parts:
        # A process of its own: what another part left behind moves the size of this one.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            result = alone.submit(part, build, amount).result()
        print(result.row(), flush=True)
        failed |= result.failed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
