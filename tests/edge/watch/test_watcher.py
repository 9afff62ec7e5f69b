"""From tracks to events: one event for one thing, begun and ended."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.camera.source import CameraEvent
from edge.watch import watcher as module
from edge.watch.watcher import Settings, Switches
from edge.zones.zone import Zone

from ..zones.tracks import SIZE, track
from .scripted import Scripted, short, textured


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is confirmed is told."""
    monkeypatch.setattr(module, "SEEN_S", 0.0)
    monkeypatch.setattr(module, "STAYS_S", 0.0)
    monkeypatch.setattr(module, "STAYS_SEEN_S", 0.0)


pytestmark = pytest.mark.usefixtures("at_once")
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
ZONE = Zone("left", "restricted", LEFT, inertia_frames=1, inertia_s=0.0)
LINE = Zone("gate", "line", ((0.5, 0.0), (0.5, 1.0)), directions=("in", "out"), inertia_frames=1,
            inertia_s=0.0)  # fmt: skip
INSIDE, OUTSIDE = (50.0, 60.0), (150.0, 60.0)


def painted(image: np.ndarray, each, colour=(20, 20, 200)) -> np.ndarray:
    """The image with the box of a track filled."""
    image = image.copy()
    left, top, wide, tall = each.thing.box
    image[top : top + tall, left : left + wide] = colour
    return image


def test_somebody_comes_through_a_zone_and_goes() -> None:
    run = Scripted(Settings((ZONE, LINE)))
    for x in range(150, 40, -10):
        run.see([track(1, (x, 60.0), first_seen=0.0)])
    for x in range(50, 150, 10):
        run.see([track(1, (x, 60.0), first_seen=0.0)])
    run.see([])
    assert run.told() == [
        "appeared begin 1",
        "zone_entered begin 1 left",
        "line_crossed once 1 gate in",
        "zone_left end 1 left",
        "line_crossed once 1 gate out",
        "left end 1",
    ]
    ends = {event.kind: event for event in run.events if event.phase == "end"}
    begins = {event.incident: event for event in run.events if event.phase == "begin"}
    for event in ends.values():
        begun = begins[event.incident]
        assert begun.id != event.id and begun.duration_s is None
    assert ends["left"].duration_s == pytest.approx(2.0)  # as long as it was seen
    assert ends["zone_left"].duration_s == pytest.approx(1.2, abs=0.11)
    assert len({event.id for event in run.events}) == len(run.events)
    assert all(event.camera == "cam" and event.size == SIZE for event in run.events)
    assert all(event.box is not None and event.confidence == 0.9 for event in run.events)


def told_after(monkeypatch: pytest.MonkeyPatch, each_frame, frames: int = 30) -> float | None:
    """Seconds until something is told, with true limits."""
    monkeypatch.undo()
    run = Scripted(Settings())
    for number in range(frames):
        run.see(each_frame(number))
    return run.events[0].source_time if run.events else None


def test_what_is_too_small_to_be_told_covers_nothing() -> None:
    run = Scripted(Settings(min_size=0.01))
    small = track(2, (150.0, 60.0), area=0.005)
    run.see([track(1, (50.0, 60.0)), small])
    assert run.watcher.followed()[0] == [track(1, (50.0, 60.0)).thing.box]
    run.see([track(1, (50.0, 60.0), area=0.005), small])  # which was told, and is partly hidden
    assert run.watcher.followed()[0] == [track(1, (50.0, 60.0)).thing.box]


def test_what_moves_is_told_at_once_and_what_stays_after_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moving(number: int):
        return [track(1, (50.0 + 2 * number, 60.0))]

    assert told_after(monkeypatch, moving) == pytest.approx(0.3, abs=0.11)
    assert told_after(monkeypatch, lambda _: [track(1, (50.0, 60.0))]) == pytest.approx(1.0)


def test_specks_are_not_told_and_neither_is_what_flickers(monkeypatch: pytest.MonkeyPatch) -> None:
    speck = track(1, (50.0, 60.0), area=4e-4)
    assert told_after(monkeypatch, lambda _: [speck]) is None

    def flickers(number: int):
        seen = replace(track(1, (50.0, 60.0)), last_seen=-1.0)
        return [track(1, (50.0, 60.0))] if number % 2 else [seen]

    assert told_after(monkeypatch, flickers) is None


def test_what_the_border_cuts_off_is_told_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def enters(number: int):
        return [track(1, (4.0 + number / 10, 60.0))]

    assert told_after(monkeypatch, enters) == pytest.approx(1.0)


def test_a_line_is_crossed_also_before_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who comes in over a line at the border: told later, and once."""
    monkeypatch.undo()
    edge = replace(LINE, points=((0.05, 0.0), (0.05, 1.0)))
    run = Scripted(Settings((edge,)))
    for number in range(30):
        run.see([track(1, (min(5.0 + 2 * number, 40.0), 60.0), width=14)])
    assert run.told() == ["appeared begin 1", "line_crossed once 1 gate out"]


def test_what_is_not_confirmed_is_not_told() -> None:
    run = Scripted(Settings((ZONE,)))
    for _ in range(20):
        run.see([track(1, INSIDE, confirmed=False)])
    run.see([])
    assert run.told() == []


def test_loitering_begins_once_and_ends_with_the_zone() -> None:
    run = Scripted(Settings((replace(ZONE, loitering_s=2.0),)))
    for number in range(60):
        x = 50.0 + 30 * np.sin(number)  # whether it walks about or not
        run.see([track(1, (x, 60.0))])
    for _ in range(3):
        run.see([track(1, OUTSIDE)])
    assert run.told() == [
        "appeared begin 1",
        "zone_entered begin 1 left",
        "loitering begin 1 left",
        "loitering end 1 left",
        "zone_left end 1 left",
    ]
    assert run.events[2].source_time == pytest.approx(2.0)
    assert run.events[3].duration_s == pytest.approx(6.0)


def test_occupancy_and_its_limit() -> None:
    run = Scripted(Settings((replace(ZONE, kind="counted", max_count=1),)))
    run.see([track(1, INSIDE)])
    run.see([track(1, INSIDE), track(2, INSIDE), track(3, OUTSIDE)])
    run.see([track(2, INSIDE), track(3, OUTSIDE)])
    run.see([])
    assert [text for text in run.told() if text.startswith("occupancy")] == [
        "occupancy once left 1",
        "occupancy begin left 2",
        "occupancy once left 2",
        "occupancy end left 2",
        "occupancy once left 1",
        "occupancy once left 0",
    ]


def test_who_stops_and_goes_on() -> None:
    run = Scripted(Settings())
    for x in range(40, 100, 5):
        run.see([track(1, (float(x), 60.0))])
    since = run.time
    for _ in range(50):
        run.see([track(1, (100.0, 60.0), stationary_since=since)])
    run.see([track(1, (105.0, 60.0))])
    assert run.told() == ["appeared begin 1", "standing begin 1", "moving end 1"]
    assert run.events[1].source_time == pytest.approx(since + 3.0)
    assert run.events[2].duration_s == pytest.approx(5.0)


def test_a_bag_is_left_behind_and_picked_up_again() -> None:
    """It came out of somebody who walked on, and looks the same all the time."""
    run = Scripted(Settings(left_s=5.0))
    for number in range(80):
        bag = track(2, (100.0, 60.0), first_seen=1.0, stationary_since=1.0)
        image = painted(run.background.image, bag)
        walker = [track(1, (100.0 + 2 * number, 60.0))] if number < 45 else []
        run.see([*walker, bag] if number >= 10 else walker, image)
    run.see([])
    assert run.told() == [
        "appeared begin 1", "appeared begin 2", "left end 1", "left_behind begin 2",
        "left_behind end 2", "left end 2",
    ]  # fmt: skip
    assert run.events[3].source_time == pytest.approx(6.0)


def test_who_stands_is_not_left_behind() -> None:
    """Whoever stands looks different from moment to moment, even who has not walked there."""
    run, rng = Scripted(Settings(left_s=5.0)), np.random.default_rng(0)
    for _ in range(100):
        person = track(1, (100.0, 60.0), stationary_since=0.0)
        colour = rng.integers(0, 255, (20, 10, 3))
        run.see([person], painted(run.background.image, person, colour))
    assert run.told() == ["appeared begin 1"]


def test_who_parks_is_not_left_behind() -> None:
    run = Scripted(Settings(left_s=5.0))
    for number in range(150):
        x = min(100.0, 20.0 + 4 * number)
        car = track(1, (x, 60.0), stationary_since=2.0 if number >= 20 else None)
        run.see([car], painted(run.background.image, car))
    assert run.told() == ["appeared begin 1", "standing begin 1"]


def test_a_track_that_shrinks_to_what_it_left_is_told() -> None:
    """A tracker may give the number of who walks on to what lies there."""
    run = Scripted(Settings(left_s=5.0))
    for number in range(120):
        x = min(100.0, 20.0 + 4 * number)
        height = 40 if number < 22 else 12
        one = track(1, (x, 60.0), height=height, stationary_since=2.2 if number >= 22 else None)
        run.see([one], painted(run.background.image, one))
    assert "left_behind begin 1" in run.told()


def test_people_who_walk_before_a_bag_do_not_matter() -> None:
    run, rng = Scripted(Settings(left_s=5.0)), np.random.default_rng(0)
    for number in range(100):
        bag = track(2, (100.0, 60.0), stationary_since=0.0)
        image = painted(run.background.image, bag)
        if number % 20 < 3:
            image = painted(image, bag, rng.integers(0, 255, 3))
        run.see([bag], image)
    assert run.told() == ["appeared begin 2", "left_behind begin 2"]


def test_something_is_taken_away() -> None:
    """The background shows a box that is there no more: nothing appeared."""
    box = track(1, (100.0, 60.0), stationary_since=1.0, first_seen=1.0)
    empty = textured()
    run = Scripted(Settings((ZONE,), left_s=5.0), bg=painted(empty, box, (10, 220, 10)))
    for _ in range(80):
        run.see([box], empty)
    run.see([])
    assert run.told() == ["taken_away begin 1", "taken_away end 1"]
    assert run.events[0].source_time == pytest.approx(6.0)


def test_who_stood_where_the_background_is_wrong_appears_when_they_move() -> None:
    box = track(1, (100.0, 60.0))
    empty = textured()
    run = Scripted(Settings(), bg=painted(empty, box, (10, 220, 10)))
    for _ in range(10):
        run.see([box], empty)
    for x in range(100, 160, 2):
        there = track(1, (float(x), 60.0))
        run.see([there], painted(empty, there))
    assert run.told() == ["appeared begin 1"]


def test_ignored_zones_are_cut_out_of_the_mask() -> None:
    mask = np.ones((50, 100), np.float32)
    watcher = Scripted(Settings((Zone("tree", "ignored", LEFT),))).watcher
    cut = watcher.cut(mask, None)
    assert not cut[:, :50].any() and cut[:, 50:].all()
    watcher.switches = Switches(frozenset({"tree"}))
    assert watcher.cut(mask, None).all()
    watcher.switches = Switches()
    watcher.set_settings(Settings())
    assert watcher.cut(mask, None).all()


def test_an_edited_zone_is_taken_over_without_losing_tracks() -> None:
    run = Scripted(Settings((ZONE,)))
    run.see([track(1, INSIDE), track(2, OUTSIDE)])
    right = replace(ZONE, name="right", points=tuple((1 - x, y) for x, y in LEFT[::-1]))
    run.watcher.set_settings(Settings((replace(ZONE, hours=()), right)))
    run.see([track(1, INSIDE), track(2, OUTSIDE)])
    run.watcher.set_settings(Settings((right,)))
    run.see([track(1, INSIDE), track(2, OUTSIDE)])
    assert run.told() == [
        "appeared begin 1", "appeared begin 2", "zone_entered begin 1 left",
        "zone_entered begin 2 right", "zone_left end 1 left",
    ]  # fmt: skip


def test_hours_schedules_and_switches() -> None:
    """A zone that becomes inactive is left, one that becomes active is entered."""
    run = Scripted(Settings((ZONE,)))
    people = [track(1, INSIDE)]
    run.see(people)
    run.watcher.switches = Switches(frozenset({"left"}))
    run.see(people)
    run.watcher.switches = Switches()
    run.see(people)
    run.watcher.switches = Switches(camera=True)
    run.see(people)
    run.see(people)
    run.watcher.switches = Switches()
    run.see(people)
    assert run.told() == [
        "appeared begin 1", "zone_entered begin 1 left", "zone_left end 1 left",
        "zone_entered begin 1 left", "zone_left end 1 left", "left end 1", "appeared begin 1",
        "zone_entered begin 1 left",
    ]  # fmt: skip
    import time

    hour = time.localtime(run.wall).tm_hour
    now = f"{hour:02d}:00-{(hour + 1) % 24:02d}:00"
    later = f"{(hour + 2) % 24:02d}:00-{(hour + 3) % 24:02d}:00"
    for hours, expected in ((now, 1), (later, 0)):
        run = Scripted(Settings((replace(ZONE, hours=(hours,)),)))
        run.see(people)
        assert len(run.events) == 1 + expected
        run = Scripted(Settings((ZONE,), schedule=(hours,)))
        run.see(people)
        assert len(run.events) == 2 * expected


def test_masks_that_mean_nothing_make_no_events() -> None:
    """While the background does not fit everything stays, and after a while nobody is there."""
    run = Scripted(Settings((ZONE,)))
    run.see([track(1, INSIDE)])
    for _ in range(30):
        run.see([track(n, INSIDE) for n in range(5, 20)], fits=False)
    assert run.told() == ["appeared begin 1", "zone_entered begin 1 left"]
    for _ in range(30):
        run.see([track(n, INSIDE) for n in range(5, 20)], fits=False)
    assert run.told()[2:] == ["zone_left end 1 left", "left end 1"]
    run.see([track(30, OUTSIDE)])
    assert run.told()[4:] == ["appeared begin 30"]


def moved(kind: str, at: float) -> CameraEvent:
    return CameraEvent(kind, at, f"cam {kind}")


def test_states_of_the_scene_begin_and_end() -> None:
    run = Scripted(Settings())
    run.see(scene=[moved("background_unsure", 0.0)])
    run.see(scene=[moved("covered", 0.1)])
    run.see(scene=[moved("scene_changed", 0.2)])
    run.see(scene=[moved("scene_changed", 0.3)])
    run.see(scene=[moved("scene_fits", 0.4)])
    run.see(scene=[moved("background_improved", 0.5), moved("background_unsure", 0.5)])
    run.see(scene=[moved("background_improved", 0.6)])
    run.see(scene=[moved("background_improved", 0.7)])
    assert run.told() == [
        "background_unsure begin", "covered begin", "covered end", "scene_changed begin",
        "scene_changed end", "background_renewed once", "background_unsure end",
        "background_renewed once", "background_renewed once",
    ]  # fmt: skip
    assert run.events[1].text == "cam covered"


def test_a_source_that_is_lost() -> None:
    """Its tracks end when it stays away; what is not about the source is no event."""
    run = Scripted(Settings((ZONE,)))
    run.see([track(1, INSIDE)])
    for kind in ("unreadable", "lost", "lost"):
        run.events += run.watcher.event(CameraEvent(kind, 10.0, "cam is lost"))
    run.events += run.watcher.tick(run.arrived)
    run.arrived += 6
    run.events += run.watcher.tick(run.arrived)
    run.events += run.watcher.tick(run.arrived)
    run.events += run.watcher.event(CameraEvent("back", 18.5, "cam is back"))
    run.events += run.watcher.event(CameraEvent("frozen", 20.0, ""))
    run.events += run.watcher.event(CameraEvent("moving", 25.0, ""))
    assert run.told() == [
        "appeared begin 1", "zone_entered begin 1 left", "lost begin", "zone_left end 1 left",
        "left end 1", "back end", "frozen begin", "frozen end",
    ]  # fmt: skip
    assert run.events[5].duration_s == pytest.approx(8.5)


def test_the_end_ends_everything() -> None:
    run = Scripted(Settings((replace(ZONE, kind="counted"),)))
    run.see([track(1, INSIDE)])
    run.events += run.watcher.event(CameraEvent("lost", 1.0, "lost"))
    run.events += run.watcher.close()
    open_ones = {event.incident for event in run.events if event.phase == "begin"}
    ended = {event.incident for event in run.events if event.phase == "end"}
    assert open_ones == ended and len(ended) == 3
    assert run.watcher.close() == []


def test_a_classifier_is_asked_once_for_each_thing() -> None:
    crops: list[np.ndarray] = []

    def classify(crop: np.ndarray) -> tuple[str, float]:
        crops.append(crop)
        return "person", 0.75

    run = Scripted(Settings((ZONE,)), classify)
    people = [track(1, INSIDE, height=40, width=20), track(2, OUTSIDE)]
    run.see([replace(people[0], confirmed=False)])
    for _ in range(5):
        run.see(people)
    run.see(people[1:])
    assert len(crops) == 2 and crops[0].shape == (48, 24, 3)  # with a tenth around it
    assert all((e.label, e.label_score) == ("person", 0.75) for e in run.events)
    assert [short(e) for e in run.events][-2:] == ["zone_left end 1 left", "left end 1"]
    cv2.imencode(".png", crops[0])  # a true image


def test_times_are_wall_clock_and_source() -> None:
    run = Scripted(Settings())
    run.see([])
    run.see([track(1, INSIDE)])
    event = run.events[0]
    from datetime import datetime

    moment = datetime.fromisoformat(event.time)
    assert moment.utcoffset() is not None
    assert moment.timestamp() == pytest.approx(1_767_600_000.1, abs=2e-3)
    assert event.source_time == pytest.approx(0.1)


@pytest.mark.parametrize("foot", [(-8.0, 5.0), (205.0, 104.0), (199.0, 60.0), (100.0, -40.0)])
def test_boxes_that_reach_beyond_the_frame(foot: tuple[float, float]) -> None:
    """A tracker predicts them there."""
    run = Scripted(Settings((replace(ZONE, rule="overlap"), replace(LINE, name="b")), left_s=1))
    run.watcher._classify = lambda crop: ("", 0.0)
    for number in range(40):
        run.see([track(1, foot, stationary_since=0.0, width=14 + number % 3)])
    run.see([])
    assert len(run.events) % 2 == 0


def test_a_frame_full_of_things() -> None:
    run = Scripted(Settings((ZONE, LINE)))
    for number in range(3):
        run.see(
            [track(n, (2.0 * n % 200, 20.0 + number), height=6, width=4) for n in range(1, 300)]
        )
    assert len([event for event in run.events if event.kind == "appeared"]) == 299
