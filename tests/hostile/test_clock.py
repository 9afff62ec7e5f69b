"""A clock of the machine that jumps back or forward by an hour."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.camera import camera
from edge.camera.camera import Camera
from edge.camera.source import Decoded, Frame
from edge.sinks.spool import Spool
from edge.watch.watcher import Settings
from tests.edge.watch.scripted import Scripted
from tests.edge.watch.test_watcher import INSIDE, ZONE, track

ROOT = Path(__file__).parents[2]
JUMPS = pytest.mark.parametrize("jump", [-3600.0, 3600.0], ids=["back", "forward"])
WALL_CLOCK = {
    "edge/clock.py": 1,  # once, when the program begins
    "edge/watch/watcher.py": 1,  # hours of zones, and the time that an event tells
    "edge/events/reporter.py": 2,  # the same
    "edge/view/state.py": 1,  # hours of zones
    "edge/zones/hours.py": 1,
    "edge/sinks/webhook.py": 1,  # receivers compare it with their clock
    "edge/sinks/spool.py": 1,  # the name of a file that was put aside
    "edge/builder/write.py": 3,  # compared with the time of a file; `created`
    "calibrate/pipeline.py": 1,  # the former
    "cli/build.py": 1,  # the former
}
"""Who reads the clock that may jump; everything else measures with one that does not."""


def test_nobody_else_reads_the_clock_that_jumps() -> None:
    reads = re.compile(r"\btime\.time\b|\bdatetime\.(?:now|utcnow|today|fromtimestamp)\b"
                       r"|\btime\.(?:localtime|gmtime|strftime)\b")  # fmt: skip
    found: Counter[str] = Counter()
    for folder in ("edge", "calibrate", "train", "cli"):
        for file in (ROOT / folder).rglob("*.py"):
            if any(parent.is_symlink() for parent in file.parents):
                continue
            code = re.sub(r'"""(?s:.*?)"""', "", file.read_text())
            if count := len(reads.findall(code)):
                found[str(file.relative_to(ROOT))] = count
    assert dict(found) == WALL_CLOCK


class Reel:
    """A live source, whose clock is set before each frame."""

    live, fps = True, 5.0

    def __init__(self, before: Callable[[int], None]) -> None:
        self.before, self.number = before, 0

    def read(self) -> Decoded | None:
        self.before(self.number)
        self.number += 1
        time.sleep(0.002)
        return Decoded(np.full((8, 8, 3), self.number % 256, np.uint8))

    def close(self) -> None:
        pass


@JUMPS
def test_live_frames_are_as_far_apart_as_they_are(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])
    reel = Reel(lambda number: offset.__setitem__(0, jump if number >= 3 else 0.0))
    monkeypatch.setattr(camera, "open_reader", lambda *_: reel)
    frames: list[Frame] = []
    with Camera("rtsp://127.0.0.1/live") as source:
        until = time.monotonic() + 60
        while reel.number < 10 or not frames or frames[-1].number < 5:
            assert time.monotonic() < until
            if isinstance(item := source.take(), Frame):
                frames.append(item)
    for before, after in pairwise(frames):
        assert after.at - before.at == pytest.approx(after.arrived - before.arrived, abs=600)


@JUMPS
def test_who_is_there_stays_and_who_is_gone_is_gone(jump: float) -> None:
    run = Scripted(Settings((ZONE,)))
    for number in range(20):
        if number == 10:
            run.wall += jump
        run.see([track(1, INSIDE)])
        run.events += run.watcher.tick(run.arrived)
    assert run.told() == ["appeared begin 1", "zone_entered begin 1 left"]
    for _ in range(60):
        run.see()
    ends = [event for event in run.events if event.phase == "end"]
    assert len(ends) == 2 and all(0 < (event.duration_s or 0) < 60 for event in ends)


@JUMPS
def test_hours_are_those_of_the_clock_as_it_is(jump: float) -> None:
    hour = time.localtime(Scripted(Settings(())).wall).tm_hour
    now = f"{hour:02d}:00-{(hour + 1) % 24:02d}:00"
    run = Scripted(Settings((ZONE,), schedule=(now,)))
    for _ in range(20):
        run.see([track(1, INSIDE)])
    assert run.told() == ["appeared begin 1", "zone_entered begin 1 left"]
    run.wall += jump
    run.see([track(1, INSIDE)])
    assert {event.phase for event in run.events[2:]} == {"end"}


def test_events_leave_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    run = Scripted(Settings((ZONE,)))
    for number in range(80):
        run.wall += -3600 if number % 2 else 3600
        run.see([track(number // 20, INSIDE)])
    came = [event.id for event in run.events]
    assert len(came) > 6
    times = [event.time for event in run.events]
    assert times != sorted(times)
    spool = Spool(tmp_path, ["a"])
    spool.append(run.events)
    left = []
    while (item := spool.take("a")) is not None:
        left.append(json.loads(item[1])["id"])
        spool.done("a", item[0])
    spool.close()
    assert left == came


def test_a_build_from_before_the_clock_was_set_back_is_replaced(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """It is no build that another process wrote meanwhile."""
    place = tmp_path / "a"
    write_build(plan("onnxruntime", "fp32"), place)
    later = time.time() + 3600
    os.utime(place / "manifest.json", (later, later))
    assert write_build(plan("onnxruntime", "fp32"), place).precision == "fp32"
    assert (place / "manifest.json").stat().st_mtime <= time.time()
