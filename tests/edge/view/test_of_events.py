"""What the view answers about an event: why, where, and that it was wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.events.event import Event
from edge.samples.open import open_samples
from edge.samples.sample import BACKGROUND, IGNORED
from edge.scene.background import certain
from edge.things.find import find_things
from edge.things.tracks import Track
from edge.view.cases import CASES, write_case
from edge.view.evidence import Evidence, Witness
from edge.view.reasons import why
from edge.view.trajectories import EVERY_S, MOST, POINTS, Trajectories
from edge.watch.config import Recordings
from edge.watch.outputs import RECORDINGS
from edge.zones.zone import Zone

from ..sinks.events import event
from .site import DEPTH, GROUND, HEIGHT, PERSON, WIDTH, Site, seen, wait_for

PORCH = Zone(
    "porch", "restricted", ((0.3, 0.1), (1.0, 0.1), (1.0, 1.0), (0.3, 1.0)), depth=(0.5, 0.95)
)
BOX = {"box": (40, 50, 20, 50), "foot": (50.0, 100.0), "size": (HEIGHT, WIDTH), "track": 1}


def entered(site: Site) -> Event:
    """The first event of somebody who enters the zone, with its evidence."""
    wait_for(lambda: "zone_entered porch" in site.told)
    told = next(each for each in site.feed.told(0) if each.event.kind == "zone_entered")
    assert told.evidence is not None
    told.evidence.result(20)
    return told.event


def image_of(data: bytes, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag))


def test_an_event_is_explained(site: Callable[..., Site]) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    found = running.ask(f"/events/{told.id}/explained").json
    assert "entered the restricted zone “porch”" in found["why"]
    assert f"was {told.depth:.2f}, inside 0.5 to 0.95" in found["why"]
    assert (found["seen"], found["depth"], found["kept"], found["case"]) == (
        True, True, True, None,
    )  # fmt: skip
    assert found["outline"] == [list(point) for point in PORCH.points]
    across = [x for x, _ in found["trajectory"]]
    assert across == sorted(across)  # it walks to the right
    assert len(across) >= 3
    assert across[-1] <= told.foot[0] + 1
    assert {y for _, y in found["trajectory"]} == {100.0}
    mask = image_of(running.ask(f"/events/{told.id}/mask").body, cv2.IMREAD_GRAYSCALE)
    columns = np.flatnonzero(mask.max(0) > 127)
    assert mask.shape == (HEIGHT // 2, WIDTH // 2)
    assert abs(2 * columns.mean() + 1 - told.foot[0]) < 6
    empty = image_of(running.ask(f"/events/{told.id}/background").body)
    assert np.abs(empty.astype(int) - 90).max() < 4
    depth = image_of(running.ask(f"/events/{told.id}/depth").body)
    assert depth[-1].mean() > depth[0].mean()
    assert running.ask("/events/none/explained").status == 404
    assert running.ask("/events/none/mask").status == 404


def test_a_clip_is_there_when_it_has_ended(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site()
    running.feed.event(event(id="clipped", clip="door/1.webm"))
    assert running.ask("/events/clipped/explained").json["clip"] is False
    assert running.ask("/events/clipped/clip").status == 404
    file = tmp_path / RECORDINGS / "door" / "1.webm"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"video")
    assert running.ask("/events/clipped/explained").json["clip"] is True
    assert running.ask("/events/clipped/clip").body == b"video"


def test_a_zone_that_was_edited_since_does_not_change_the_reason(
    site: Callable[..., Site],
) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    watcher = running.watching.watched["door"].watcher
    watcher.set_settings(replace(watcher.settings, zones=()))
    assert "“porch”" in running.ask(f"/events/{told.id}/explained").json["why"]


# Wrong -------------------------------------------------------------------------------------------


def say(site: Site, told: Event, content: Any, **headers: str) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return site.ask(f"/events/{told.id}/wrong", "POST", body, headers)


def test_what_was_wrong_is_a_case_to_learn_from(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    answer = say(running, told, {"nobody": True})
    place = Path(answer.json["case"])
    assert (answer.status, place.parent) == (200, tmp_path / CASES)
    assert running.ask(f"/events/{told.id}/explained").json["case"] == str(place)
    samples = open_samples(tmp_path / CASES)
    sample = samples[0]
    assert (len(samples), samples.skipped) == (1, {})
    assert sample.fg_bg.shape == (HEIGHT, WIDTH, 3)
    left, top, wide, tall = told.box
    there = sample.fg_bg[top + 4 : top + tall - 4, left + 4 : left + wide - 4].astype(int)
    assert np.abs(there - PERSON).mean() < 12
    assert np.abs(sample.bg.astype(int) - 90).max() < 4
    assert (sample.mask[top : top + tall, left : left + wide] == BACKGROUND).all()
    assert set(np.unique(sample.mask)) == {BACKGROUND, IGNORED}
    assert (sample.mask == BACKGROUND).mean() < 2 * wide * tall / (HEIGHT * WIDTH)
    mask = cv2.imread(str(place / "mask.png"), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == (HEIGHT, WIDTH)
    about = json.loads((place / "event.json").read_text())
    assert (about["nobody"], about["event"]["id"]) == (True, told.id)
    assert "“porch”" in about["why"]


def test_what_was_seen_wrongly_is_labelled_by_hand(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    assert say(running, told, {"nobody": True}).status == 200
    place = Path(say(running, told, {"nobody": False}).json["case"])  # on second thoughts
    assert list((place / "groundtruth").iterdir()) == []
    with pytest.raises(Exception, match="no labelled frames"):
        open_samples(tmp_path / CASES)
    (place / "mask.png").rename(place / "groundtruth" / "000001.png")
    labels = open_samples(tmp_path / CASES)[0].mask
    assert 0.02 < (labels == 255).mean() < 0.1


def test_what_was_said_is_taken_back(site: Callable[..., Site]) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    path = f"/events/{told.id}/wrong"
    assert running.ask(path, "DELETE").status == 404
    place = Path(say(running, told, {"nobody": True}).json["case"])
    assert running.ask(path, "DELETE", headers={"Origin": "http://evil.example"}).status == 403
    assert running.ask(path, "DELETE").status == 200
    assert not place.exists()
    assert running.ask(f"/events/{told.id}/explained").json["case"] is None
    # What somebody has drawn since is not deleted.
    assert say(running, told, {"nobody": False}).status == 200
    assert running.ask(f"/events/{told.id}/explained").json["nobody"] is False
    (place / "mask.png").rename(place / "groundtruth" / "000001.png")
    answer = running.ask(path, "DELETE")
    assert (answer.status, "labelled by hand" in answer.json["error"]) == (409, True)
    assert place.is_dir()


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"nobody": 1}', b'{"nobody": "x"}'])
def test_words_that_mean_nothing_keep_nothing(
    content: bytes, site: Callable[..., Site], tmp_path: Path
) -> None:
    running = site(zones=[PORCH])
    assert say(running, entered(running), content).status == 400
    assert not (tmp_path / CASES).exists()


def test_strangers_keep_nothing(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site(zones=[PORCH])
    told, nobody = entered(running), {"nobody": True}
    for origin in ("http://evil.example", "null", ""):
        assert say(running, told, nobody, Origin=origin).status == 403
    assert running.ask(f"/events/{told.id}/wrong").status == 405
    assert say(running, told, b'{"nobody": true}' + b" " * 300_000).status == 413
    for other in ("..%2f..%2fdoor", "%00", "none", "%2e%2e"):
        path = f"/events/{other}/wrong"
        assert running.ask(path, "POST", b'{"nobody": true}').status == 404
    assert not (tmp_path / CASES).exists()


def test_with_redaction_no_frame_is_kept(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site(zones=[PORCH], redact="fill")
    told = entered(running)
    kept = next(each for each in running.feed.told(0) if each.event is told).evidence.result()
    assert (kept.frame, kept.spread) == (None, None)
    answer = say(running, told, {"nobody": True})
    assert (answer.status, "--redact" in answer.json["error"]) == (409, True)
    assert not (tmp_path / CASES).exists()


def test_an_event_without_a_place_cannot_be_nobody(site: Callable[..., Site]) -> None:
    running = site()
    future: Future[Evidence] = Future()
    future.set_result(Witness().keep("door", seen(5), None))
    running.feed._evidence["lost"] = future
    lost = event(id="lost", kind="scene_changed", text="the scene has changed")
    running.feed.event(lost)
    answer = say(running, lost, {"nobody": True})
    assert (answer.status, "no place" in answer.json["error"]) == (409, True)
    assert say(running, lost, {"nobody": False}).status == 200


def test_a_case_that_cannot_be_written_is_said(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site(zones=[PORCH])
    (tmp_path / CASES).write_text("no folder")
    answer = say(running, entered(running), {"nobody": True})
    assert (answer.status, "cannot write" in answer.json["error"]) == (500, True)


def test_a_large_frame_is_made_small_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    """1920 pixels across: labels, background, spread and mask have the size of the frame."""
    image = np.full((540, 1920, 3), 90, np.uint8)
    image[200:400, 800:900] = PERSON
    mask = np.zeros((54, 192), np.float32)
    mask[20:40, 80:90] = 1
    background = replace(
        certain(np.full_like(image, 90)), spread=np.full((54, 192, 3), 7, np.uint8)
    )
    result = replace(
        seen(1), frame=replace(seen(1).frame, image=image), mask=mask, background=background
    )
    told = event(box=(800, 200, 100, 200), size=(540, 1920))
    write_case(tmp_path, told, "why", Witness().keep("door", result, None), True)
    sample = open_samples(tmp_path)[0]
    assert sample.fg_bg.shape == (270, 960, 3)
    assert sample.spread is not None
    assert (sample.spread == 7).all()
    assert (sample.mask[100:200, 400:450] == BACKGROUND).all()
    assert sample.mask[50, 425] == sample.mask[150, 300] == IGNORED


def test_a_background_is_kept_once_for_all_events_before_it() -> None:
    witness = Witness()
    first, second = (witness.keep("door", seen(number), None) for number in (1, 5))
    assert first.background is second.background
    other = replace(seen(9), background=certain(np.full((HEIGHT, WIDTH, 3), 200, np.uint8)))
    assert image_of(witness.keep("door", other, None).background).mean() > 190
    assert image_of(witness.keep("yard", seen(9), None).background).mean() < 100
    assert witness.keep("door", other, "fill").frame is None


# Why, and where ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "given", "told"),
    [
        ({}, {}, "the restricted zone “porch”: its foot was inside its outline, in 3 frames"),
        ({"rule": "overlap"}, {}, "half of it was inside"),
        ({"rule": "any"}, {}, "a part of it was inside"),
        ({"depth": (0.5, 0.7)}, {"depth": 0.62}, "ground at its foot was 0.62, inside 0.5 to 0.7"),
        ({"depth": (0.5, 0.7), "rule": "any"}, {"depth": 0.9}, "depth of it was inside 0.5 to 0.7"),
        ({"distance_m": (2, 8)}, {"distance_m": 4.26}, "4.3 m away, inside the zone's 2 to 8 m"),
        ({"hours": ("22:00-06:00",)}, {}, "The zone is active 22:00-06:00."),
        ({"loitering_s": 20}, {"kind": "loitering"}, "for more than 20 seconds"),
        ({"kind": "counted", "max_count": 2}, {"kind": "occupancy", "count": 3, "track": None},
         "3 in the counted zone “porch”; more than 2 are too many"),
        ({"kind": "line", "points": ((0, 0), (1, 1))},
         {"kind": "line_crossed", "direction": "out"}, "crossed the line “porch” to “out”"),
    ],
)  # fmt: skip
def test_the_rule_is_said_in_words(zone: dict[str, Any], given: dict[str, Any], told: str) -> None:
    points = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    porch = Zone(**{"name": "porch", "kind": "restricted", "points": points, **zone})
    assert told in why(event(**{"kind": "zone_entered", "track": 3, **given}), porch)


LEFT_OF_IT, IN_IT = {**BOX, "foot": (40.0, 100.0)}, BOX
DEEP = "the ground at its foot was 0.43, outside 0.5 to 0.95"


@pytest.mark.parametrize(
    ("zone", "given", "followed", "told"),
    [
        ({}, {**IN_IT, "depth": 0.62}, False, "was seen no more; until then it was in the"
         " restricted zone “porch”; the depth of the ground at its foot was 0.62, inside 0.5"),
        ({}, {**LEFT_OF_IT, "depth": 0.62}, True, "left the restricted zone “porch”: its foot was"
         " outside its outline; the depth of the ground at its foot was 0.62, inside 0.5 to 0.95"),
        ({}, {**IN_IT, "depth": 0.43}, True,
         f"left the restricted zone “porch”: the depth of {DEEP}"),
        ({"depth": None, "distance_m": (2, 8)}, {**IN_IT, "distance_m": 9.04}, True,
         "left the restricted zone “porch”: it was 9.0 m away, outside the zone's 2 to 8 m"),
        ({"rule": "any"}, {**IN_IT, "depth": 0.43}, True, "no part of it was inside its outline,"),
        ({}, {**IN_IT, "depth": 0.62}, True, "was not watched any more"),
    ],
)  # fmt: skip
def test_it_is_said_why_a_zone_was_left(
    zone: dict[str, Any], given: dict[str, Any], followed: bool, told: str
) -> None:
    left = event(kind="zone_left", phase="end", **given)
    assert told in why(left, replace(PORCH, **zone), followed)
    assert "is not there any more" in why(replace(left, zone="porch"), None)


def test_a_thing_that_is_followed_no_more_did_not_leave(site: Callable[..., Site]) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    running.feed.event(replace(told, id="gone", kind="zone_left", phase="end", track=999))
    found = running.ask("/events/gone/explained").json["why"]
    assert found.startswith("Thing 999 was seen no more; until then it was in")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://***@door/stream was moved by 3 px", "door was moved by 3 px"),
        ("rtsp://***@door/stream: learned anew", "door: learned anew"),
        ("cannot open rtsp://***@door/stream: refused", "cannot open door: refused"),
        ("cannot open rtsp://***@door/stream2", "cannot open rtsp://***@door/stream2"),
    ],
)
def test_texts_name_the_camera_as_its_file_does(
    text: str, shown: str, site: Callable[..., Site]
) -> None:
    running = site()
    running.feed.event(event(id="moved", kind="camera_moved", text=text))
    assert running.ask("/events/moved/explained").json["why"] == shown


def test_every_kind_has_words() -> None:
    from edge.events.event import CAMERA_KINDS, THING_KINDS

    for kind in (*THING_KINDS, *CAMERA_KINDS):
        assert len(why(event(kind=kind, track=3), None)) > 5
    assert why(event(kind="covered", text="door is covered"), None) == "door is covered"
    assert "Thing 3 was new" in why(event(kind="appeared", track=3), None)


def test_ways_are_thinned_and_bounded() -> None:
    trajectories = Trajectories()

    def track(number: int, x: float, at: float, confirmed: bool = True) -> Track:
        mask = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
        mask[25:50, 30:40] = 255
        (thing,) = find_things(mask, DEPTH, (HEIGHT, WIDTH), GROUND)
        thing = replace(thing, foot=(x, 50.0))
        return Track(number, thing, 0.0, at, confirmed, 0.0, None, None)

    for number in range(2 * POINTS):
        at = number * EVERY_S / 2
        trajectories.update([track(1, number, at), track(2, number, at, False)], at)
    assert len(trajectories.of(1)) <= POINTS
    assert trajectories.of(1)[-1][0] - trajectories.of(1)[-2][0] == pytest.approx(2, abs=1)
    assert trajectories.of(2) == trajectories.of(None) == ()
    gone = trajectories.of(1)
    trajectories.update([track(1, 0.0, 0.0)], 1e6)  # not seen now
    assert trajectories.of(1) == gone
    for number in range(2, MOST + 3):
        trajectories.update([track(number, 1.0, 2e6 + number)], 2e6 + number)
    assert trajectories.of(1) == ()
    assert trajectories.of(MOST) != ()


def test_once_people_are_to_be_hidden_nothing_of_before_is_shown(
    site: Callable[..., Site],
) -> None:
    running = site(zones=[PORCH])
    told = entered(running)
    clip = running.watching.config.folder / RECORDINGS / "door.webm"
    clip.parent.mkdir()
    clip.write_bytes(b"people")
    running.feed.event(event(id="clipped", clip="door.webm"))
    paths = [f"/events/{told.id}/{name}" for name in ("snapshot", "background", "mask")]
    paths.append("/events/clipped/clip")
    assert [running.ask(path).status for path in paths] == [200] * 4
    running.watching.config = replace(
        running.watching.config, recordings=Recordings(clips=False, redact="fill")
    )
    assert [running.ask(path).status for path in paths] == [404] * 4
    found = running.ask(f"/events/{told.id}/explained").json
    assert (found["seen"], found["kept"], found["clip"]) == (False, False, False)
    answer = running.ask(f"/events/{told.id}/wrong", "POST", b'{"nobody": true}')
    assert answer.status == 404
    assert not (running.watching.config.folder / CASES).exists()
