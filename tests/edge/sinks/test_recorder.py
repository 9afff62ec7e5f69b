"""Snapshots and clips as they lie on the disk: what they show, what a slow disk costs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from edge.loop.overlay import OUTLINE
from edge.scene.background import certain
from edge.sinks import recorder as recorders
from edge.sinks.recorder import Recorder

from .broker import wait_for
from .events import event
from .results import PERSON, redness, result

ROOT = Path(__file__).parents[3]
RATE = 15


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Recorder]]:
    monkeypatch.setattr(recorders, "GRACE_S", 60.0)  # the machine may be slow
    made: list[Recorder] = []

    def recorder(**options: Any) -> Recorder:
        made.append(Recorder(tmp_path, **{"say": said.append, **options}))
        return made[-1]

    yield recorder
    for each in made:
        each.close()


def play(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times in seconds and frames of a clip."""
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name in ("vp8", "libvpx")
        frames = list(container.decode(video=0))
    return [float(f.time) for f in frames], [f.to_ndarray(format="bgr24") for f in frames]


def run(
    recorder: Recorder, seconds: float, at: dict[float, str], camera: str = "door"
) -> dict[float, Any]:
    """Show the frames of a recording, with an event at each of the given times."""
    told = {}
    times = sorted(at)
    for number in range(round(seconds * RATE)):
        now = number / RATE
        events = []
        if times and now >= times[0]:
            events = [event(id=at[times[0]], camera=camera)]
            key = times.pop(0)
        shown = result(number, now, left=number % 100)
        got = recorder.frame(camera, shown, events, live=False)
        if events:
            told[key] = got[0]
    return told


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(p for p in folder.rglob(f"*{suffix}") if ".part" not in p.parts)


def test_a_snapshot_shows_the_frame_of_its_event_with_the_mask_outlined(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make(clips=False)
    given = event(time="2026-11-28T10:00:00.123+01:00", id="abc-begin")
    (got,) = recorder.frame("door", result(0, 0.0, left=60), [given], live=True)
    assert got.snapshot == "door/2026-11-28/10-00-00.123-abc-begi.jpg"
    assert got.clip is None
    recorder.close()
    image = cv2.imread(str(tmp_path / got.snapshot))
    assert image.shape == (96, 160, 3)
    assert np.abs(image[50, 70].astype(int) - PERSON).max() < 30
    green = (np.abs(image.astype(int) - OUTLINE).max(2) < 60).nonzero()
    assert len(green[0]) > 50
    assert abs(green[1].min() - 60) < 5
    assert abs(green[1].max() - 80) < 5
    assert redness(image[:, :50]) == 0


def test_without_an_event_nothing_is_written(make: Callable[..., Recorder], tmp_path: Path) -> None:
    recorder = make()
    run(recorder, 3, {})
    recorder.close()
    assert files(tmp_path, ".jpg") == files(tmp_path, ".webm") == []


def test_a_clip_begins_before_its_event_and_goes_on_after_it(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make()
    told = run(recorder, 20, {8.0: "one"})
    recorder.close()
    assert told[8.0].clip is not None
    times, frames = play(tmp_path / told[8.0].clip)
    assert files(tmp_path, ".webm") == [tmp_path / told[8.0].clip]
    assert 9.5 < times[-1] - times[0] < 10.5
    assert np.diff(times).max() < 0.35
    assert 45 < len(frames) < 60
    assert all(redness(frame) > 400 for frame in frames)
    # The block walks a pixel each frame: it says which frame this is.
    first = redness_centre(frames[0])
    assert abs(first - (3 * RATE % 100 + 10)) < 6


def redness_centre(image: np.ndarray) -> float:
    blue, _, red = (image[..., channel].astype(int) for channel in range(3))
    return float(np.nonzero(red - blue > 120)[1].mean())


def test_events_close_together_share_a_clip_and_later_ones_have_their_own(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make()
    told = run(recorder, 40, {6.0: "a", 9.0: "b", 30.0: "c"})
    recorder.close()
    assert told[6.0].clip == told[9.0].clip != told[30.0].clip
    assert told[6.0].snapshot != told[9.0].snapshot
    times, _ = play(tmp_path / told[6.0].clip)
    assert 12.5 < times[-1] - times[0] < 13.5
    times, _ = play(tmp_path / told[30.0].clip)
    assert 9.5 < times[-1] - times[0] < 10.5


def test_what_goes_on_for_long_is_cut_into_clips(
    make: Callable[..., Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorders, "MOST_S", 10.0)
    recorder = make()
    told = run(recorder, 40, {float(second): f"e{second}" for second in range(2, 34, 2)})
    recorder.close()
    clips = {each.clip for each in told.values()}
    assert len(clips) == 3
    assert {str(p.relative_to(tmp_path)) for p in files(tmp_path, ".webm")} == clips


def test_a_clip_shows_the_time_of_the_source_across_a_gap(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make()
    for number, now in enumerate([0.0, 0.5, 1.0, 3.0, 3.5]):
        events = [event()] if number == 1 else []
        recorder.frame("door", result(number, now), events, live=False)
    recorder.close()
    (clip,) = files(tmp_path, ".webm")
    times, _ = play(clip)
    assert np.allclose(np.subtract(times, times[0]), [0.0, 0.5, 1.0, 3.0, 3.5], atol=0.01)


def test_redact_hides_people_in_snapshots_and_clips(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make(redact="fill")
    told = run(recorder, 12, {6.0: "one"})
    recorder.close()
    assert redness(cv2.imread(str(tmp_path / told[6.0].snapshot))) == 0
    _, frames = play(tmp_path / told[6.0].clip)
    assert all(redness(frame) == 0 for frame in frames)


def test_redact_hides_what_the_mask_misses(make: Callable[..., Recorder], tmp_path: Path) -> None:
    recorder = make(redact="fill")
    for number in range(60):
        shown = result(number, number / RATE)
        shown.mask[:] = 0
        recorder.frame("door", shown, [event()] if number == 30 else [], live=False)
    recorder.close()
    (picture,), (clip,) = files(tmp_path, ".jpg"), files(tmp_path, ".webm")
    assert redness(cv2.imread(str(picture))) == 0
    assert all(redness(frame) == 0 for frame in play(clip)[1])


def test_redact_hides_what_was_taken_out_of_the_mask(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Somebody in the colours of the scene: only the whole mask knows of him."""
    recorder = make(redact="fill")
    for number in range(60):
        shown = result(number, number / RATE)
        like_him = certain(shown.frame.image)
        taken = replace(shown, mask=np.zeros_like(shown.mask), whole=shown.mask)
        taken = replace(taken, background=like_him)
        recorder.frame("door", taken, [event()] if number == 30 else [], live=False)
    recorder.close()
    (picture,), (clip,) = files(tmp_path, ".jpg"), files(tmp_path, ".webm")
    assert redness(cv2.imread(str(picture))) == 0
    assert all(redness(frame) == 0 for frame in play(clip)[1])


def test_a_large_frame_makes_a_small_clip_and_a_full_snapshot(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    from dataclasses import replace

    from edge.scene.background import certain

    recorder = make(redact="blur")
    image = np.full((810, 1441, 3), 90, np.uint8)
    for number in range(20):
        shown = result(number, number / 5, number % 100)
        shown = replace(shown, frame=replace(shown.frame, image=image), background=certain(image))
        recorder.frame("door", shown, [event()] if number == 10 else [], live=False)
    recorder.close()
    (picture,), (clip,) = files(tmp_path, ".jpg"), files(tmp_path, ".webm")
    assert cv2.imread(str(picture)).shape == (810, 1441, 3)
    assert play(clip)[1][0].shape == (360, 640, 3)


def test_a_slow_disk_costs_pictures_and_never_a_frame(
    make: Callable[..., Recorder],
    tmp_path: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = make()
    hang = threading.Event()
    snapshot = recorders.snapshot

    def slow(*arguments: Any) -> bytes:
        hang.wait(20)
        return snapshot(*arguments)

    monkeypatch.setattr(recorders, "snapshot", slow)
    start, kept, given = time.monotonic(), 0, 0
    for number in range(200):
        events = [event()] if number % 4 == 0 else []
        shown = result(number, number / RATE, arrived=number / RATE)
        got = recorder.frame("door", shown, events, live=True)
        given += len(events)
        kept += sum(each.snapshot is not None for each in got)
    assert time.monotonic() - start < 15
    assert 0 < kept <= recorders.SNAPSHOTS + 1
    assert recorder.dropped["snapshots"] == given - kept
    assert recorder.dropped["frames"] > 0
    assert len(said) == 1
    assert "incomplete, the disk is slow" in said[0]
    hang.set()
    recorder.close()
    # Events that name a snapshot have one.
    assert len(files(tmp_path, ".jpg")) == kept


def test_a_disk_that_cannot_be_written_is_said_and_the_next_clip_is_tried(
    make: Callable[..., Recorder],
    tmp_path: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edge.camera import video

    recorder = make()
    monkeypatch.setattr(video, "RESERVED", 10**18)
    told = run(recorder, 14, {6.0: "one"})
    wait_for(lambda: not recorder._queue and said)
    assert "MB free" in said[0]
    assert recorder.dropped["frames"] >= 1
    monkeypatch.setattr(video, "RESERVED", 0)
    for number in range(1000, 1300):
        now = number / RATE
        recorder.frame("door", result(number, now), [event()] * (number == 1100), live=False)
    recorder.close()
    assert not (tmp_path / told[6.0].clip).exists()
    assert len(files(tmp_path, ".webm")) == 1
    assert list((tmp_path / ".part").iterdir()) == []


def test_the_clip_of_a_camera_that_is_lost_ends_by_itself(
    make: Callable[..., Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.sinks import clips

    monkeypatch.setattr(recorders, "IDLE_S", 0.05)
    recorder = make()
    for number in range(10):
        shown = result(number, number / 5, arrived=number / 5)
        recorder.frame("door", shown, [event()] if number == 5 else [], live=True)
        wait_for(lambda: not recorder._queue)
    assert files(tmp_path, ".webm") == []
    monkeypatch.setattr(clips, "GAP_S", 0.1)
    (clip,) = wait_for(lambda: files(tmp_path, ".webm"))
    assert len(play(clip)[0]) >= 5


def test_two_cameras_have_folders_and_clips_of_their_own(
    make: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = make()
    one = run(recorder, 4, {2.0: "x"}, "door")
    two = run(recorder, 4, {2.0: "x"}, "../yard")
    recorder.close()
    assert one[2.0].clip.startswith("door/")
    assert ".." not in two[2.0].clip
    assert len(files(tmp_path, ".webm")) == 2
    assert not (tmp_path.parent / "yard").exists()


def test_memory_of_what_came_before_is_bounded(make: Callable[..., Recorder]) -> None:
    recorder = make()
    run(recorder, 60, {})
    wait_for(lambda: not recorder._queue)
    before = recorder._writers["door"]._before
    assert len(before) <= 5 * 5 + 2


def test_a_crash_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Killed while clips and snapshots are written: what has a name is whole, and the next start
    removes the rest."""
    code = """
        import os, random, signal, sys, threading, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from events import event
        from results import result
        from edge.sinks.recorder import Recorder
        for seed in range(5):
            if (child := os.fork()) == 0:
                recorder, dice, number = Recorder(Path(sys.argv[2])), random.Random(seed), 0
                point, rest = dice.randrange(60, 160), dice.uniform(0, 0.05)
                kill = threading.Timer(rest, lambda: os.kill(os.getpid(), signal.SIGKILL))
                while True:
                    number += 1
                    events = [event(id=f"{seed}-{number}")] if number % 50 == 25 else []
                    shown = result(number, number / 5, number % 100)
                    recorder.frame("door", shown, events, live=False)
                    if number == point:
                        kill.start()
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    Recorder(tmp_path).close()
    assert list((tmp_path / ".part").iterdir()) == []
    clips, pictures = files(tmp_path, ".webm"), files(tmp_path, ".jpg")
    assert clips
    assert pictures
    for clip in clips:
        times, _ = play(clip)
        assert len(times) > 20
    assert all(cv2.imread(str(picture)) is not None for picture in pictures)
    assert os.access(tmp_path, os.W_OK)
