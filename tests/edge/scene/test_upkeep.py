"""Upkeep over simulated hours: times are those of the frames, nothing waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import EdgeError
from edge.samples.sample import Image
from edge.scene import upkeep as module
from edge.scene.background import certain
from edge.scene.check import SceneCheck
from edge.scene.occluder import HOLD_S, STILL_S
from edge.scene.upkeep import (
    EVERY_S,
    LEARNED,
    LONG_S,
    MOST,
    RENEW_S,
    RENEWED,
    SPREAD_FIRST_S,
    SWITCHED,
    Change,
    Entry,
    Upkeep,
    first_entry,
)

CHECK_S = 0.5
STEP_S = 12.0
"""Between two frames where nothing happens quickly."""
SIZE = (48, 64)
MASK = (24, 32)
THING = (20, 15, 10, 20)
"""Left, top, width and height of somebody who stands there."""
INSIDE = np.s_[15:35, 20:30]
OUTLINE = np.array([(20, 15), (30, 15), (30, 35), (20, 35)], np.int32)


class Inline(Executor):
    """Computes at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def scene(seed: int = 3) -> Image:
    """Coloured blocks, uint8 [48, 64, 3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (12, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_NEAREST))


def yard(seed: int = 5) -> Image:
    """Blocks of one material, whose brightness infrared hardly changes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 190, (12, 16, 1)) + np.array([0, 12, 24])
    return np.asarray(
        cv2.resize(coarse.astype(np.uint8), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    )


def lit(image: Image, gain: float) -> Image:
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def infrared(image: Image) -> Image:
    grey = 40 + 0.6 * image @ np.array([0.1, 0.3, 0.6])
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def stood_on(image: Image, level: int = 20) -> Image:
    image = image.copy()
    image[INSIDE] = level
    return image


class Day:
    """A camera and its upkeep, a frame for every step."""

    def __init__(self, bg: Image, **options: Any) -> None:
        self.upkeep = Upkeep([first_entry(certain(bg))], pool=Inline(), **options)
        self.check = SceneCheck(bg)
        self.at = 0.0
        self.told: list[tuple[str, float]] = []
        rng = np.random.default_rng(1)
        self.noise = [rng.normal(0, 1.5, bg.shape) for _ in range(7)]
        self.frames = 0

    def see(
        self,
        image: Image,
        seconds: float = STEP_S,
        mask: np.ndarray | None = None,
        covered: Sequence[tuple[int, int, int, int]] = (),
        gone: Sequence[np.ndarray] = (),
        step: float = STEP_S,
    ) -> None:
        """The same image with other noise for so many seconds."""
        empty = np.zeros(MASK, np.float32)
        end = self.at + seconds
        while self.at < end:
            self.frames += 1
            noisy = np.clip(image + self.noise[self.frames % 7], 0, 255).astype(np.uint8)
            self.check.update(noisy, self.at)
            change = self.upkeep.check(noisy, self.at, self.check)
            if change is None and self.check.fits and not self.upkeep.doubtful:
                change = self.upkeep.look(
                    noisy, self.at, empty if mask is None else mask, covered, gone
                )
            self._take(change)
            self.at += step

    def _take(self, change: Change | None) -> None:
        if change is not None:
            assert change.background is self.upkeep.background
            self.told.append((change.kind, self.at))
            self.check = SceneCheck(change.background.image)

    @property
    def bg(self) -> Image:
        return self.upkeep.background.image

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


def off(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_slow_light_is_followed_by_few_renewals() -> None:
    day = Day(scene())
    for minute in range(30):
        day.see(lit(scene(), 1 - 0.4 * minute / 30), 60)
    assert off(day.bg, lit(scene(), 1 - 0.4 * 29 / 30)) < 4
    assert set(day.kinds()) <= {RENEWED, LEARNED}
    times = [at for _, at in day.told]
    assert len(times) >= 4 and min(np.diff(times)) >= RENEW_S


def test_an_unchanged_scene_costs_nothing() -> None:
    day = Day(scene())
    day.see(scene(), 900)
    assert day.told == []


@pytest.mark.parametrize("seen", ["by its track", "by the mask"])
def test_what_stands_for_an_hour_is_not_absorbed_while_the_light_is_followed(seen: str) -> None:
    day = Day(scene())
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    for minute in range(60):
        image = stood_on(lit(scene(), 1 - 0.3 * minute / 60))
        if seen == "by its track":  # whose mask has holes, and flickers
            day.see(image, 60, covered=[THING])
        else:
            day.see(image, 60, mask=mask)
    assert off(day.bg, lit(scene(), 0.7)) < 8  # also behind them
    assert off(day.bg[:, 40:], lit(scene(), 0.7)[:, 40:]) < 4


def test_a_place_is_learned_from_only_when_it_was_empty_for_long() -> None:
    """Somebody comes by every half minute, and the mask has them in every second look only."""
    day = Day(scene())
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    for _ in range(20):
        for _ in range(4):
            day.see(stood_on(scene()), EVERY_S, mask=mask, step=EVERY_S)
            day.see(stood_on(scene()), EVERY_S, step=EVERY_S)
        day.see(scene(), LONG_S - 4 * EVERY_S, step=2.5)
    assert off(day.upkeep._fresh[INSIDE], scene()[INSIDE]) < 2


def test_what_was_taken_away_is_learned() -> None:
    """The mask shows its former place for ever, and a track stands there."""
    before = stood_on(scene())
    day = Day(before)
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    day.see(scene(), 600, mask=mask, covered=[THING])
    assert off(day.bg[INSIDE], before[INSIDE]) < 2
    day.see(scene(), 900, mask=mask, gone=[OUTLINE])
    assert off(day.bg[INSIDE], scene()[INSIDE]) < 3


def test_the_nearest_background_of_the_bank_is_chosen() -> None:
    """Day, infrared, day, infrared: one is learned, the others are known."""
    day = Day(scene())
    pictures = [scene(), infrared(scene()), scene(), infrared(scene())]
    for image in pictures:
        day.see(image, 40, step=CHECK_S)
        assert off(day.bg, image) < 3
    assert day.kinds() == [LEARNED, SWITCHED, SWITCHED]
    changes = [at - 40 * number for number, (_, at) in enumerate(day.told, 1)]
    assert all(0 <= late <= 3 for late in changes)


def test_a_lamp_is_another_light_though_the_edges_fit() -> None:
    day = Day(scene())
    for gain in (1.0, 0.45, 1.0, 0.45):
        day.see(lit(scene(), gain), 20, step=1.0)
        assert off(day.bg, lit(scene(), gain)) < 3
    assert day.kinds() == [LEARNED, SWITCHED, SWITCHED]


def test_who_stands_there_when_the_light_changes_is_not_learned() -> None:
    day = Day(scene())
    day.see(stood_on(scene()), 10, covered=[THING], step=1.0)
    day.see(infrared(stood_on(scene())), 10, covered=[THING], step=1.0)
    assert day.kinds() == [LEARNED]
    assert off(day.bg[INSIDE], infrared(scene())[INSIDE]) < 25
    assert off(day.bg[INSIDE], infrared(stood_on(scene()))[INSIDE]) > 40


def test_a_guess_of_another_structure_is_learned_when_it_was_taken_away_or_is_empty_or_still() -> (
    None
):
    """The mask shows the difference between guess and truth, and a track stands there."""
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    truth = infrared(scene())
    truth[15:25, 20:30] += 20  # no guess knows what infrared shows
    for gone, seconds in (([OUTLINE], LONG_S), ([], LONG_S), (None, STILL_S)):
        day = Day(scene())
        day.see(stood_on(scene()), 10, mask=mask, covered=[THING], step=1.0)
        day.see(stood_on(truth), 100, mask=mask, covered=[THING])
        day.see(truth, 2 * STILL_S, mask=mask, covered=[THING], step=2.0)
        assert off(day.bg[INSIDE], truth[INSIDE]) > 8  # it may be somebody
        covered = [THING] if gone is None else []
        seen = np.zeros_like(mask) if gone == [] else mask
        day.see(truth, seconds + 10, mask=seen, covered=covered, gone=gone or [], step=2.0)
        assert off(day.bg[INSIDE], truth[INSIDE]) < 4


def test_a_guess_of_the_same_structure_is_replaced_at_once() -> None:
    """The mask shows the difference between guess and truth for ever, and a track stands there."""
    day = Day(yard())
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    truth = infrared(yard())
    truth[15:25, 20:30] += 20  # no guess knows what infrared shows
    day.see(stood_on(yard()), 10, mask=mask, covered=[THING], step=1.0)
    day.see(stood_on(truth), 100, mask=mask, covered=[THING])
    half = truth.copy()
    half[25:35, 20:30] = 20
    day.see(half, 100, mask=mask, covered=[THING])
    assert off(day.bg[INSIDE], truth[INSIDE]) > 10
    day.see(truth, HOLD_S, mask=mask, covered=[THING], step=0.6)
    assert off(day.bg[INSIDE], truth[INSIDE]) > 10
    day.see(truth, 0.6, mask=mask, covered=[THING], step=0.6)
    assert off(day.bg[INSIDE], truth[INSIDE]) < 9  # specks are still a guess


def test_who_stands_before_what_is_learned_is_not_learned() -> None:
    day = Day(yard())
    truth = infrared(yard())
    day.see(stood_on(yard()), 10, covered=[THING], step=1.0)
    day.see(stood_on(truth), 10, covered=[THING], step=1.0)
    passer = truth.copy()
    passer[30:48, 25:35] = 20
    day.see(passer, 10, covered=[THING, (25, 30, 10, 18)], step=1.0)
    assert off(day.bg[15:26, 20:30], truth[15:26, 20:30]) < 8
    assert off(day.bg[30:35, 25:30], passer[30:35, 25:30]) > 40


@pytest.mark.parametrize("guess", ["shown", "of another structure"])
def test_who_stands_exactly_behind_what_leaves_is_never_learned(guess: str) -> None:
    """They hardly move, and look almost like the ground."""
    scenery = yard() if guess == "shown" else scene()
    truth = infrared(scenery)
    day = Day(scenery)
    mask = np.zeros(MASK, np.float32)
    mask[7:18, 10:15] = 1
    day.see(stood_on(scenery), 5, mask=mask, covered=[THING], step=1.0)
    day.see(stood_on(truth), 5, mask=mask, covered=[THING], step=1.0)
    for shift in range(8):
        stands = truth.copy()
        stands[17:35, 23 + shift % 2 : 28 + shift % 2] = 118
        day.see(stands, 40, mask=mask, covered=[THING], step=4.0)
    assert (day.upkeep.background.confidence[18:34, 24:28] == 0).mean() > 0.9
    day.see(truth, LONG_S + RENEW_S, gone=[OUTLINE], step=2.0)
    assert off(day.bg[INSIDE], truth[INSIDE]) < 4


def test_what_the_mask_loses_in_another_light_is_not_absorbed() -> None:
    """It has no track any more, but looks as it did when the light changed."""
    day = Day(yard())
    thing = yard(9)
    for light in (lambda image: image, infrared):
        image = light(yard())
        image[INSIDE] = light(thing)[INSIDE]
        day.see(image, 10, covered=[THING], step=1.0)
    day.see(image, 3600)
    assert off(day.bg[INSIDE], image[INSIDE]) > 20
    assert off(day.bg[INSIDE], infrared(yard())[INSIDE]) < 12


def test_a_shadow_that_was_told_as_a_thing_hides_nothing_in_another_light() -> None:
    day = Day(yard())
    shadow, truth = yard(), infrared(yard())
    shadow[INSIDE] = lit(yard(), 0.5)[INSIDE]
    truth[15:25, 20:30] += 20
    day.see(shadow, 10, covered=[THING], step=1.0)
    day.see(truth, 10, step=1.0)
    assert day.kinds() == [LEARNED]
    assert off(day.bg[INSIDE], truth[INSIDE]) < 3
    assert not day.upkeep.background.unsure.any()


def test_a_guess_of_the_bank_is_replaced_when_nothing_hides_it_any_more() -> None:
    """A car comes by day, and leaves by day: the night has never seen what it hid."""
    day = Day(yard())
    truth = infrared(yard())
    truth[15:25, 20:30] += 20
    day.see(stood_on(yard()), 10, covered=[THING], step=1.0)
    day.see(stood_on(truth), 10, covered=[THING], step=1.0)
    day.see(stood_on(yard()), 10, covered=[THING], step=1.0)
    day.see(yard(), 10, step=1.0)
    day.see(truth, 10, step=1.0)
    assert day.kinds() == [LEARNED, SWITCHED, SWITCHED]
    assert off(day.bg[INSIDE], truth[INSIDE]) < 6


def test_a_guess_is_known_as_one_after_a_restart() -> None:
    day = Day(yard())
    truth = infrared(yard())
    truth[15:25, 20:30] += 20
    day.see(stood_on(yard()), 10, covered=[THING], step=1.0)
    day.see(stood_on(truth), 10, covered=[THING], step=1.0)
    again = Day(truth)
    again.upkeep = Upkeep([first_entry(day.upkeep.background)], pool=Inline())
    again.see(stood_on(truth), 10, covered=[THING], step=1.0)
    assert off(again.bg[INSIDE], truth[INSIDE]) > 10
    again.see(truth, 5, covered=[THING], step=1.0)
    assert off(again.bg[25:34, 21:29], truth[25:34, 21:29]) < 4  # what shows the guess
    again.see(truth, LONG_S + 5, step=1.0)
    assert off(again.bg[INSIDE], truth[INSIDE]) < 4


def test_the_bank_stays_small_and_gives_up_what_was_not_used_for_longest() -> None:
    day = Day(scene())
    gains = [1.0, 0.6, 0.35, 0.2, 0.11, 1.0]
    for gain in gains:
        day.see(lit(scene(), gain), 20, step=1.0)
    assert len(day.upkeep.bank) == MOST
    assert len({entry.number for entry in day.upkeep.bank}) == MOST
    assert off(day.bg, scene()) < 3


def test_a_background_that_became_another_one_leaves_the_former_in_the_bank() -> None:
    """From day to dusk by small steps, then the lamps go on."""
    day = Day(scene())
    for step in range(60):
        day.see(lit(scene(), 1 - 0.75 * step / 60), 72)
    assert set(day.kinds()) == {RENEWED} and len(day.upkeep.bank) > 1
    day.see(lit(scene(), 0.58), 5, step=CHECK_S)
    assert day.kinds()[-1] == SWITCHED
    assert off(day.bg, lit(scene(), 0.58)) < 10


def test_a_camera_that_was_moved_teaches_nothing() -> None:
    day = Day(scene())
    moved = np.roll(scene(), (8, 16), (0, 1))
    day.see(moved, 60, step=1.0)
    day.see(infrared(moved), 60, step=1.0)
    day.see(scene(11), 60, step=1.0)
    assert day.told == []
    assert np.array_equal(day.upkeep._fresh, scene())


def test_after_a_gap_it_begins_anew() -> None:
    """Nobody knows who came meanwhile; a clock that goes back is a gap too."""
    day = Day(scene())
    day.see(scene(), 120)
    for jump in (7200.0, -3600.0):
        day.at += jump
        day.see(stood_on(scene()), LONG_S - EVERY_S, step=4.0)
        assert off(day.upkeep._fresh[INSIDE], scene()[INSIDE]) < 2


def test_an_unknown_spread_is_learned_later_and_kept() -> None:
    kept: list[Entry] = []
    asked: list[int] = []

    def learn(images: Sequence[Image], bg: Image) -> Image:
        asked.append(len(images))
        assert images[0].shape[:2] == MASK and bg.shape[:2] == SIZE
        return np.full((*MASK, 3), 9, np.uint8)

    class Keeper:
        def write(self, entry: Entry) -> None:
            kept.append(entry)

        def forget(self, number: int) -> None:
            raise AssertionError

    day = Day(scene(), learn=learn, keeper=Keeper())
    day.see(scene(), SPREAD_FIRST_S)
    assert day.told == []
    day.see(scene(), 1500)
    assert day.kinds() == [RENEWED]  # the same spread again is no change
    assert len(asked) >= 3 and asked[0] >= 9
    spread = day.upkeep.background.spread
    assert spread is not None and (spread == 9).all()
    assert kept[-1].background.spread is spread


def test_another_spread_than_it_was_is_taken() -> None:
    known = replace(certain(scene()), spread=np.zeros((*MASK, 3), np.uint8))
    upkeep = Upkeep(
        [first_entry(known)], lambda images, bg: np.full((*MASK, 3), 30, np.uint8), pool=Inline()
    )
    changes = [
        upkeep.look(scene(), at, np.zeros(MASK, np.float32), []) for at in np.arange(0, 700, 2.0)
    ]
    assert [change.kind for change in changes if change] == [RENEWED]


def test_a_spread_that_cannot_be_learned_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "note", told.append)

    class Failing(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(EdgeError("the build is gone"))
            return future

    upkeep = Upkeep([first_entry(certain(scene()))], lambda images, bg: bg, pool=Failing())
    for at in np.arange(0, 1500, 10.0):
        assert upkeep.look(scene(), at, np.zeros(MASK, np.float32), []) is None
    assert told == ["the build is gone; the spread stays as it is"]


def test_a_scene_that_was_learned_anew_forgets_the_bank() -> None:
    forgotten: list[int] = []

    class Keeper:
        def write(self, entry: Entry) -> None:
            pass

        def forget(self, number: int) -> None:
            forgotten.append(number)

    day = Day(scene(), keeper=Keeper())
    day.see(infrared(scene()), 10, step=CHECK_S)
    day.upkeep.restart(certain(scene(11)))
    assert np.array_equal(day.bg, scene(11)) and len(day.upkeep.bank) == 1
    assert forgotten == [0] and day.upkeep.bank[0].number == 1
