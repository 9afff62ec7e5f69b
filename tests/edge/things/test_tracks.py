"""Tracks, against scripted ways whose every position is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from edge.things.find import find_things
from edge.things.parting import Parting
from edge.things.sighting import sighting
from edge.things.thing import Thing
from edge.things.tracks import Track, Tracker

FRAME = (480, 640)
RATES = (2, 5, 15, 30, 60)
Box = tuple[float, float, float, float]


def thing(left: float, top: float, wide: float, tall: float, depth: float | None = None) -> Thing:
    box = (round(left), round(top), round(wide), round(tall))
    corners = [(left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall)]
    return Thing(
        outline=np.array(corners, np.int32),
        box=box,
        area=wide * tall / (FRAME[0] * FRAME[1]),
        foot=(left + wide / 2, top + tall),
        ground_depth=0.5,
        depth=depth,
        confidence=0.9,
    )


def play(
    tracker: Tracker, fps: float, begin: float, end: float, scene: Callable[[float], list[Thing]]
) -> list[list[Track]]:
    """The tracks of every frame in [begin, end)."""
    frames = range(round(begin * fps), round(end * fps))
    return [tracker.update(scene(frame / fps), frame / fps) for frame in frames]


def confirmed(tracks: Iterable[Track]) -> list[Track]:
    return [track for track in tracks if track.confirmed]


@pytest.mark.parametrize("fps", RATES)
def test_a_walk_is_one_track_with_its_place_age_and_speed(fps: int) -> None:
    tracker = Tracker()
    steps = play(tracker, fps, 0, 8, lambda t: [thing(20 + 60 * t, 200, 40, 120)])
    last = (8 * fps - 1) / fps
    (track,) = steps[-1]
    assert {each.number for step in steps for each in step} == {1}
    assert track.confirmed
    assert (track.first_seen, track.last_seen) == (0, last)
    assert track.thing.box == pytest.approx((20 + 60 * last, 200, 40, 120), abs=2)
    assert track.thing.foot == pytest.approx((40 + 60 * last, 320), abs=2)
    assert track.thing.ground_depth == 0.5
    assert track.speed == pytest.approx(0.5, rel=0.05)
    assert track.stationary_since is None
    assert track.position is None


@pytest.mark.parametrize("fps", RATES)
def test_two_who_cross_and_are_one_blob_meanwhile_keep_their_numbers(fps: int) -> None:
    def scene(t: float) -> list[Thing]:
        one, other = 20 + 70 * t, 600 - 70 * t
        if one < other + 42 and other < one + 40:
            left, right = min(one, other), max(one + 40, other + 42)
            return [thing(left, 195, right - left, 115, 0.35)]
        return [thing(one, 200, 40, 110, 0.3), thing(other, 195, 42, 115, 0.4)]

    steps = play(Tracker(), fps, 0, 8, scene)
    assert {track.number for step in steps for track in step} == {1, 2}
    first, second = steps[-1]
    last = (8 * fps - 1) / fps
    assert first.thing.box[0] == pytest.approx(20 + 70 * last, abs=4)
    assert second.thing.box[0] == pytest.approx(600 - 70 * last, abs=4)
    for before, after in pairwise(steps):
        for old, new in zip(before, after, strict=False):
            assert abs(new.thing.box[0] - old.thing.box[0]) < 70 / fps + 25  # nobody jumps


def test_a_short_occlusion_is_bridged_and_a_long_one_ends_the_track() -> None:
    def walk(t: float) -> list[Thing]:
        return [] if 3 <= t < 4.2 else [thing(20 + 60 * t, 200, 40, 120)]

    tracker = Tracker()
    steps = play(tracker, 15, 0, 6, walk)
    assert {track.number for step in steps for track in step} == {1}
    hidden = steps[round(3.5 * 15)][0]
    assert hidden.last_seen == pytest.approx(3, abs=0.1)
    ended: list[Track] = []
    for frame in range(90, 90 + 60):
        tracker.update([], frame / 15)
        ended += tracker.ended
    assert [track.number for track in ended] == [1]
    assert ended[0].last_seen == pytest.approx(6, abs=0.1)
    (again,) = tracker.update([thing(380, 200, 40, 120)], 10)
    assert again.number == 2


@pytest.mark.parametrize("fps", RATES)
def test_a_mask_that_flickers_moves_no_track(fps: int) -> None:
    """Legs, an arm's side, or all of somebody who stands is missing in every third frame."""

    def scene(frame: int) -> list[Thing]:
        whole = (300, 200, 40, 120)
        lacking = [(300, 200, 40, 60), (300, 250, 40, 70), (300, 200, 18, 120), None]
        box = lacking[frame // 3 % 4] if frame % 3 == 2 else whole
        return [] if box is None else [thing(*box)]

    tracker, ended = Tracker(), []
    for frame in range(12 * fps):
        (track,) = tracker.update(scene(frame), frame / fps)
        ended += tracker.ended
        left, top, wide, tall = track.thing.box
        assert track.number == 1
        assert abs(left + wide / 2 - 320) < 8
        assert abs(top + tall - 320) < 25
        assert track.thing.foot is not None
        assert math.dist(track.thing.foot, (320, 320)) < 30
    assert not ended
    assert track.speed < 0.25
    assert track.stationary_since is not None
    assert track.stationary_since < 2


def test_parts_of_somebody_who_breaks_are_one_thing() -> None:
    def scene(t: float) -> list[Thing]:
        left = 100 + 40 * t
        if t % 1 < 0.5:
            return [thing(left, 200, 40, 120)]
        return [
            thing(left + 12, 200, 16, 25),
            thing(left, 240, 40, 40),
            thing(left + 5, 290, 30, 30),
        ]

    steps = play(Tracker(), 15, 0, 6, scene)
    assert all(len(step) == 1 and step[0].number == 1 for step in steps)
    for frame, (track,) in enumerate(steps[8:], 8):
        assert track.thing.box == pytest.approx((100 + 40 * frame / 15, 200, 40, 120), abs=6)
    broken = steps[-1][0].thing
    assert broken.area == pytest.approx((16 * 25 + 40 * 40 + 30 * 30) / (480 * 640))


def test_somebody_who_was_never_whole_is_told_of_as_one() -> None:
    def scene(t: float) -> list[Thing]:
        left = 100 + 40 * t
        return [thing(left, 240, 40, 80, 0.4), thing(left + 10, 200, 20, 32, 0.42)]

    steps = play(Tracker(), 15, 0, 4, scene)
    assert all(len(confirmed(step)) <= 1 for step in steps)
    (track,) = steps[-1]
    assert track.thing.box == pytest.approx((100 + 40 * 59 / 15, 200, 40, 120), abs=6)


def test_somebody_farther_away_above_another_is_not_a_part_of_it() -> None:
    def scene(t: float) -> list[Thing]:
        return [thing(100 + 20 * t, 240, 40, 110, 0.6), thing(110, 170, 25, 65, 0.2)]

    assert len(confirmed(play(Tracker(), 15, 0, 3, scene)[-1])) == 2


def test_two_who_came_as_one_blob_are_two_once_they_part() -> None:
    def scene(t: float) -> list[Thing]:
        apart = max(0.0, t - 2) * 40
        if apart < 3:
            return [thing(200, 200, 80, 120)]
        return [thing(200 - apart, 200, 40, 120), thing(240 + apart, 200, 40, 120)]

    steps = play(Tracker(), 15, 0, 5, scene)
    assert [len(confirmed(step)) for step in (steps[20], steps[-1])] == [1, 2]
    boxes = sorted(track.thing.box for track in steps[-1])
    last = (5 * 15 - 1) / 15
    assert boxes[0] == pytest.approx((200 - 40 * (last - 2), 200, 40, 120), abs=8)
    assert boxes[1] == pytest.approx((240 + 40 * (last - 2), 200, 40, 120), abs=8)


def test_a_bag_that_is_put_down_beside_somebody_is_a_thing_of_its_own() -> None:
    """Both lie in the box that they had together, and nobody moves."""

    def scene(t: float) -> list[Thing]:
        person = thing(200, 200, 50, 120)
        return [thing(160, 200, 90, 120)] if t < 2 else [person, thing(160, 270, 35, 50)]

    steps = play(Tracker(), 10, 0, 5, scene)
    assert [len(confirmed(step)) for step in (steps[19], steps[27])] == [1, 2]
    person, bag = steps[-1]
    assert person.number == 1 and bag.thing.box == pytest.approx((160, 270, 35, 50), abs=2)
    assert person.thing.box == pytest.approx((200, 200, 50, 120), abs=2)
    assert bag.first_seen == pytest.approx(2, abs=0.11)


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_two_who_walk_side_by_side_stay_two_when_the_mask_joins_them_again(fps: int) -> None:
    """They come as one, are apart for a second, and walk away as one that gets smaller."""

    def scene(t: float) -> list[Thing]:
        size = 1 - 0.05 * max(t - 3, 0)
        left, wide, tall = 100 + 30 * t, 40 * size, 120 * size
        if 2 <= t < 3:
            return [thing(left, 200, wide, tall), thing(left + 46, 203, wide, tall)]
        return [thing(left, 200, 46 + wide, tall)]

    steps = play(Tracker(), fps, 0, 12, scene)
    assert len(confirmed(steps[2 * fps - 1])) == 1
    for step in steps[3 * fps :]:
        assert [track.number for track in step] == [1, 2]
        assert all(track.thing.foot is not None for track in step)
    assert steps[-1][0].last_seen == steps[-1][1].last_seen
    assert steps[-1][1].thing.box[3] == pytest.approx(120 * 0.55, rel=0.4)


def test_an_arm_that_is_apart_from_its_body_is_a_part_of_it() -> None:
    def scene(t: float) -> list[Thing]:
        arm = [thing(242, 230, 14, 12)]
        return [thing(200, 200, 40, 120), *arm] if t >= 1 else [thing(200, 200, 56, 120)]

    steps = play(Tracker(), 15, 0, 5, scene)
    assert {track.number for step in steps for track in step} == {1}


def test_of_what_passes_behind_a_pillar_one_side_grows_and_the_other_shrinks() -> None:
    parting = Parting()
    for frame in range(60):
        left = sighting(thing(0, 0, 240 - 3 * frame, 80))
        right = sighting(thing(250, 0, 30 + 3 * frame, 80))
        assert not parting.update((left, right), frame / 15)


def test_a_part_that_comes_off_and_rejoins_leaves_one_track() -> None:
    def scene(t: float) -> list[Thing]:
        if 1 <= t < 2:
            return [thing(200, 200, 24, 120), thing(226 + 40 * (t - 1), 200, 30, 120)]
        return [thing(200, 200, 96 if t >= 2 else 50, 120)]

    tracker = Tracker()
    assert len(confirmed(play(tracker, 15, 0, 2, scene)[-1])) == 2
    steps = play(tracker, 15, 2, 4, scene)
    assert [[track.number for track in step] for step in steps] == [[1]] * len(steps)
    assert steps[-1][0].thing.box == pytest.approx((200, 200, 96, 120), abs=8)


@pytest.mark.parametrize("fps", RATES)
def test_who_comes_in_and_leaves_by_the_border_is_one_track_until_the_last_pixel(fps: int) -> None:
    """In from the left, out by the lower right corner: what is seen of them is cut by the frame."""

    def scene(t: float) -> list[Thing]:
        left, top = -60 + 110 * t, 220 + 20 * t
        right, bottom = min(left + 60, 640), min(top + 180, 480)
        left = max(left, 0)
        return [thing(left, top, right - left, bottom - top)] if right - left >= 4 else []

    tracker, numbers = Tracker(), set()
    for frame in range(round(6.3 * fps)):
        tracks = tracker.update(scene(frame / fps), frame / fps)
        numbers |= {track.number for track in tracks}
        if 2.5 <= frame / fps <= 3.5:
            whole = scene(frame / fps)[0].box
            assert tracks[0].thing.box == pytest.approx(whole, abs=14)
    assert numbers == {1}


def test_who_stands_is_stationary_since_then_and_who_goes_on_is_not() -> None:
    def scene(t: float) -> list[Thing]:
        way = 60 * min(t, 3) + 60 * max(0.0, t - 8)
        return [thing(20 + way, 200, 40, 120)]

    for fps in (2, 15, 60):
        tracker = Tracker()
        steps = play(tracker, fps, 0, 12, scene)
        assert steps[round(2.5 * fps)][0].stationary_since is None
        since = steps[round(7.5 * fps)][0].stationary_since
        assert since == pytest.approx(3, abs=0.7)
        assert steps[round(7.5 * fps)][0].speed < 0.03
        assert steps[-1][0].stationary_since is None


def test_after_a_gap_only_what_stayed_is_the_same() -> None:
    tracker = Tracker()
    play(tracker, 10, 0, 2, lambda t: [thing(100, 200, 40, 120), thing(400 - 50 * t, 100, 50, 100)])
    tracks = tracker.update([thing(101, 201, 40, 119), thing(150, 100, 50, 100)], 60)
    numbers = {track.number: track.thing.box[0] for track in tracks if track.last_seen == 60}
    assert numbers[1] == pytest.approx(100, abs=3)
    assert {2} & set(numbers) == set()


def test_a_clock_that_goes_back_ends_all_tracks() -> None:
    tracker = Tracker()
    play(tracker, 10, 0, 2, lambda t: [thing(100, 200, 40, 120)])
    (track,) = tracker.update([thing(100, 200, 40, 120)], 0.0)
    assert [each.number for each in tracker.ended] == [1]
    assert (track.number, track.first_seen, track.confirmed) == (2, 0.0, False)
    (same,) = tracker.update([thing(100, 200, 40, 120)], 0.0)  # a time twice
    assert same.number == 2


def test_noise_is_never_confirmed() -> None:
    rng, tracker = np.random.default_rng(0), Tracker()
    for frame in range(300):
        places = rng.uniform(0, 600, (2, 2)) if frame % 4 == 0 else []
        tracks = tracker.update([thing(x, y / 2, 12, 12) for x, y in places], frame / 15)
        assert not confirmed(tracks)
        assert len(tracks) < 20
    numbers = [track.number for track in tracks]
    assert len(set(numbers)) == len(numbers)


def test_a_foot_that_is_not_seen_is_remembered_for_a_second() -> None:
    tracker = Tracker()
    whole = thing(100, 200, 40, 120)
    play(tracker, 10, 0, 2, lambda t: [whole])
    blind = replace(whole, foot=None, ground_depth=None)
    steps = play(tracker, 10, 2, 4, lambda t: [blind])
    assert steps[5][0].thing.foot == pytest.approx((120, 320), abs=1)
    assert steps[5][0].thing.ground_depth == 0.5
    assert steps[-1][0].thing.foot is None
    assert steps[-1][0].thing.ground_depth is None


class Ruler:
    """Metres of a camera straight above, 100 pixels a metre."""

    def position(
        self, foot: tuple[float, float], ground_depth: float | None
    ) -> tuple[float, float] | None:
        assert ground_depth == 0.5
        return foot[0] / 100, (480 - foot[1]) / 100


def test_where_the_ground_is_calibrated_places_and_speeds_are_metres() -> None:
    steps = play(Tracker(Ruler()), 15, 0, 6, lambda t: [thing(20 + 80 * t, 200, 40, 120)])
    (track,) = steps[-1]
    assert track.position == pytest.approx(((40 + 80 * 89 / 15) / 100, 1.6), abs=0.08)
    assert track.speed == pytest.approx(0.8, rel=0.1)
    still = play(Tracker(Ruler()), 15, 0, 6, lambda t: [thing(200, 200, 40, 120)])
    assert still[-1][0].stationary_since == pytest.approx(0, abs=0.2)


def test_a_scene_is_calibrated_while_it_is_watched() -> None:
    tracker = Tracker()
    walk = lambda t: [thing(20 + 80 * t, 200, 40, 120)]  # noqa: E731
    (before,) = play(tracker, 15, 0, 2, walk)[-1]
    assert before.position is None
    tracker.calibrate(Ruler())
    (after,) = play(tracker, 15, 2, 6, walk)[-1]
    assert after.number == before.number
    assert after.position == pytest.approx(((40 + 80 * 89 / 15) / 100, 1.6), abs=0.08)
    assert after.speed == pytest.approx(0.8, rel=0.1)


def test_hundreds_are_followed() -> None:
    tracker = Tracker()
    places = [(x, y) for x in range(0, 625, 25) for y in range(0, 480, 24)]
    for frame in range(4):
        things = [thing(x + frame, y, 15, 18) for x, y in places]
        tracks = tracker.update(things[::-1] if frame % 2 else things, frame * 0.2)
    assert len(confirmed(tracks)) == len(places) == 500
    assert [track.thing.box[:2] for track in tracks] == [
        pytest.approx((x + 3, y), abs=1.5) for x, y in places
    ]


def test_masks_of_all_kinds_pass_through() -> None:
    rng, tracker = np.random.default_rng(0), Tracker()
    masks = [np.zeros((224, 224)), np.ones((224, 224)), np.full((224, 224), np.nan)]
    masks += [rng.random((224, 224)), np.ones((224, 224)), np.eye(224)]
    depth = np.full((224, 224), np.nan, np.float32)
    for frame, mask in enumerate(masks * 3):
        found = find_things(mask.astype(np.float32), depth, FRAME, smallest=0)
        for track in tracker.update(found[:600], frame / 10):
            wide, tall = track.thing.box[2:]
            assert min(wide, tall) >= 0
            assert max(wide, tall) < 2000
            assert math.isfinite(track.speed)


def test_of_two_alike_each_is_the_one_that_is_nearest() -> None:
    """In whatever order they are seen, and though either could be the other."""
    tracker = Tracker()
    seen = [thing(100, 200, 40, 120), thing(150, 200, 40, 120)]
    for frame in range(20):
        tracks = tracker.update(seen if frame % 2 else seen[::-1], frame / 10)
        lefts = {track.number: track.thing.box[0] for track in tracks}
        assert lefts == {1: 150, 2: 100}
