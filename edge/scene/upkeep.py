"""Keeps the background of a watched scene fresh, and a small bank of backgrounds by their light.

Time is that of the frames, never the wall clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError
from edge.image import resize_image
from edge.progress import note
from edge.samples.median import median_where
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.scene.bank import MOST, Entry, first_entry
from edge.scene.check import CHANGED, HOLD_S, OK, SceneCheck
from edge.scene.gather import LEAST
from edge.scene.last_seen import LastSeen
from edge.scene.light import Light, light_of, same_structure
from edge.scene.occluder import Box, Occluder, Place, apart, shows
from edge.scene.spread import moving_share

EVERY_S = 4.0
"""Time between two looks at a scene; a look moves the background by one grey level at most."""
LONGEST_STEP = 4
"""Grey levels of a look after a longer time: one for each EVERY_S that passed."""
GUESS_S = 0.5
"""The same while something hides a guess, which is learned as soon as it is seen."""
LONG_S = 30.0
"""Time for which a pixel has been empty before it is learned from."""
RENEW_S = 120.0
"""Time between two renewals at least: each takes the background graph and a file."""
DIFFERS, DIFFERS_SHARE = 5, 0.003
"""Grey levels by which pixels changed, and share of them from which a renewal is worth it."""
LIKELY = 0.2
"""Probability from which a pixel is not surely empty."""
RIM = 6 / 224
"""Rim of what is new that is not learned from either, as a share of the shorter side: shadows."""
LIGHT = 0.3
"""Logarithm of the ratio of two lights from which they are different ones."""
NEAR = 0.2
"""The same up to which a background of the bank is near enough to be chosen."""
FORK = 0.6
"""The same by which a background that is renewed again and again has become another one."""
SAME, SAME_LIT = 0.9, 0.8
"""Correlation from which a pixel shows the background, in its light and in another one."""
WORTH = 0.1
"""Share of what is still a guess that must be seen to renew the background for it."""
SAMPLE_S, SAMPLES = 10.0, 31
"""Time between images that the spread is learned from, and their number."""
SPREAD_FIRST_S, SPREAD_S = 90.0, 600.0
"""Time after which an unknown spread is learned, and between two times later."""
SPREAD_DIFFERS = 1.0
"""Mean grey levels by which a spread has changed."""

RENEWED, SWITCHED, LEARNED = "background_renewed", "background_switched", "background_learned"
TEXTS = {
    RENEWED: "the background was renewed, {share:.1f} % of it changed",
    SWITCHED: "the light changed, and a background that was learned in this light is used",
    LEARNED: "the light changed, and a background of this light was learned",
}
Bools = npt.NDArray[np.bool_]
Outline = npt.NDArray[np.int32]
Learn = Callable[[Sequence[Image], Image], Image]
"""Learns the spread of images at the network's size before a background; runs in a thread."""


@dataclass(frozen=True)
class Change:
    """What upkeep did.

    Attributes:
        kind: RENEWED, SWITCHED or LEARNED.
        background: the one to be used from now on.
        text: for people.
    """

    kind: str
    background: Background
    text: str


class Keeper(Protocol):
    """Where what was learned is kept."""

    def write(self, entry: Entry) -> None:
        """Write an entry, in place of the one of its number; runs in a thread."""

    def forget(self, number: int) -> None:
        """Remove an entry; runs in the same thread."""


class Upkeep:
    """Keeps the background of one camera.

    A pixel is learned from where the mask has been empty for LONG_S and no thing covers it: what
    stands for an hour is not absorbed. What was taken away is learned, though the mask has it.

    Args:
        bank: what is known; the first one is in use.
        learn: learns a spread; None: spreads stay as they are.
        keeper: keeps every change; None: nothing is kept.
        pool: learns and keeps; None: a thread of its own.
    """

    def __init__(
        self,
        bank: Sequence[Entry],
        learn: Learn | None = None,
        keeper: Keeper | None = None,
        pool: Executor | None = None,
    ) -> None:
        self._learn, self._keeper = learn, keeper
        self._pool = pool or ThreadPoolExecutor(1, "edge-upkeep")
        self._pending: tuple[Entry, Future[Image]] | None = None
        self.bank = list(bank)
        self._entry = self.bank[0]
        self._covered: list[Box] = []
        self._last: Image | None = None
        self._things: Bools = np.zeros((1, 1), np.bool_)
        self._last_seen = LastSeen()
        self._reset()

    @property
    def background(self) -> Background:
        """The one in use."""
        return self._entry.background

    @property
    def doubtful(self) -> bool:
        """Whether the light is another one, and it is not decided yet what that means."""
        return bool(self._odd)

    def restart(self, background: Background) -> None:
        """Go on with a background that was learned anew; the rest of the bank is forgotten."""
        for entry in self.bank:
            if entry is not self._entry and self._keeper is not None:
                self._pool.submit(self._keeper.forget, entry.number)
        self._entry = first_entry(background, self._entry.number, self._entry.used)
        self.bank, self._covered, self._last = [self._entry], [], None
        self._last_seen = LastSeen()
        self._keep(self._entry)
        self._reset()

    def take(self, background: Background) -> None:
        """Go on with a background of which somebody had an area learned anew."""
        self._entry.background = background
        self._last_seen = LastSeen()
        self._keep(self._entry)
        self._reset()

    def close(self) -> None:
        """Wait until all is kept."""
        self._pool.shutdown()

    def _reset(self, at: float | None = None) -> None:
        """Begin anew with the background in use."""
        self._fresh = self._entry.background.image.copy()
        self._light = light_of(self._fresh)
        self._busy: npt.NDArray[np.float64] | None = None
        self._looked: float | None = None
        self._folded = -math.inf
        self._renewed = at
        self._odd: list[Image] = []
        self._odd_since = 0.0
        self._occluders: list[Occluder] = []
        self._revealed = np.zeros(self._fresh.shape[:2], np.bool_)
        self._samples: deque[Image] = deque(maxlen=SAMPLES)
        self._sampled = -math.inf
        self._spread_at: float | None = None

    # -- slow changes -----------------------------------------------------------------------------

    def due(self, at: float) -> bool:
        """Whether `look` wants a frame of this time."""
        every = GUESS_S if self._occluders else EVERY_S
        return self._looked is None or not 0 <= at - self._looked < every

    def look(
        self,
        image: Image,
        at: float,
        mask: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
        covered: Sequence[Box],
        gone: Sequence[Outline] = (),
    ) -> Change | None:
        """Learn from a frame that fits the background.

        Args:
            image: uint8 [H, W, 3] BGR of the background's size, registered to it.
            at: its time in seconds.
            mask: [h, w] as a build gives it.
            covered: boxes of the things that are followed: left, top, width, height in pixels.
            gone: outlines, int32 [K, 2], of what the background shows and is there no more.
        """
        passed = LONG_S if self._looked is None else at - self._looked
        self._looked = at
        if light_of(image).distance(self._light) > LIGHT:
            return None  # what the mask shows is the light; `check` sees to it
        self._last = image
        self._things = mask >= 0.5 * (255 if mask.dtype == np.uint8 else 1)
        self._covered = [
            *covered,
            *(occluder.box for occluder in self._occluders if occluder.stands),
        ]
        busy = self._busy_pixels(image, mask, self._covered, gone)
        if self._busy is None or not 0 <= passed < LONG_S:
            # Nobody knows what was there meanwhile.
            self._busy, self._renewed = np.full(busy.shape, at), at
            self._folded = at
            if not self._occluders:
                self._occlude(image)
            return None
        self._busy[busy] = at
        empty = at - self._busy >= LONG_S
        if at - self._folded >= EVERY_S:
            self._fold(image, empty, min(LONGEST_STEP, round((at - self._folded) / EVERY_S)))
            self._folded = at
        seen = self._reveal(image, at, empty)
        self._sample(image, at, mask.shape)
        self._entry.used = at
        return self._new_spread() or self._renew(at, empty, seen)

    def _busy_pixels(
        self,
        image: Image,
        mask: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
        covered: Sequence[Box],
        gone: Sequence[Outline],
    ) -> Bools:
        """Where something may be, bool [h, w] of the mask."""
        level = LIKELY * (255 if mask.dtype == np.uint8 else 1)
        busy = np.asarray(mask >= level).astype(np.uint8)
        scale = np.array([mask.shape[1] / image.shape[1], mask.shape[0] / image.shape[0]])
        for outline in gone:
            cv2.fillPoly(busy, [np.rint(outline * scale).astype(np.int32)], 0)
            cv2.polylines(busy, [np.rint(outline * scale).astype(np.int32)], True, 0, 5)
        for left, top, wide, tall in covered:
            corner = np.floor((left, top) * scale).astype(int).tolist()
            end = np.ceil((left + wide, top + tall) * scale).astype(int).tolist()
            cv2.rectangle(busy, corner, end, 1, cv2.FILLED)
        reach = 2 * max(1, round(RIM * min(busy.shape))) + 1
        return np.asarray(cv2.dilate(busy, np.ones((reach, reach), np.uint8)) > 0)

    def _fold(self, image: Image, empty: Bools, step: int) -> None:
        """Move the background towards an image by a few grey levels: of many looks that is their
        median (sigma-delta)."""
        steps = np.full_like(image, step)
        low, high = cv2.subtract(self._fresh, steps), cv2.add(self._fresh, steps)
        moved = cv2.min(cv2.max(image, low), high)
        cv2.copyTo(moved, _full(empty, image).view(np.uint8), self._fresh)

    def _reveal(self, image: Image, at: float, empty: Bools) -> Bools:
        """Learn at once what was guessed, where what hid it has left.

        What cannot be told from somebody who stands there stays a guess, in the light of what was
        seen, until the mask has been empty there for long, or it was told as taken away.

        Args:
            image: uint8 [H, W, 3] BGR.
            at: its time in seconds.
            empty: bool [h, w] of the mask, where it has been empty for long.

        Returns:
            What was learned, bool [H, W].
        """
        seen = np.zeros(image.shape[:2], np.bool_)
        if not self._occluders:
            return seen
        same = same_structure(image, self._entry.background.image, SAME_LIT)
        empty = _full(empty, image)
        for occluder in self._occluders:
            shown = occluder.learnable(image, same, at) | (occluder.hidden & empty)
            if shown.sum() > WORTH * occluder.hidden.sum():
                occluder.hidden &= ~shown
                seen |= shown
        self._fresh[seen] = image[seen]
        return seen

    def _renew(self, at: float, empty: Bools, seen: Bools) -> Change | None:
        """The fresh background, where it is worth it; `seen` was learned at once."""
        if self._renewed is None or (at - self._renewed < RENEW_S and not seen.any()):
            return None
        if not seen.any():
            self._revealed[:] = False  # by now it is empty, or something came
        self._renewed, before = at, self._entry.background
        # Means of 25 pixels: the noise of single ones is no change.
        fresh, known = (cv2.blur(image, (5, 5)) for image in (self._fresh, before.image))
        differs = cv2.absdiff(fresh, known).max(2) > DIFFERS
        share = float(differs.mean())
        if share < DIFFERS_SHARE and not seen.any():
            return None
        self._revealed |= seen
        sure = self._revealed | _full(empty, self._fresh)
        self._last_seen.hide(~sure, before.image, before.unsure)
        self._fresh = self._last_seen.relit(self._fresh, sure)
        for occluder in self._occluders:
            if occluder.stands and self._last is not None:
                self._fresh = apart(self._fresh, self._last, occluder.thing & ~sure)
        background = _with(replace(before, image=self._fresh.copy()), self._fresh, sure)
        for occluder in self._occluders:
            occluder.hidden &= ~sure
        self._occluders = [occluder for occluder in self._occluders if occluder.hidden.any()]
        self._light = light_of(background.image)
        if self._light.distance(self._entry.anchor) > FORK:
            # What it was stays in the bank.
            self._enter(background, at)
        else:
            self._entry.background = background
        self._keep(self._entry)
        return Change(RENEWED, background, TEXTS[RENEWED].format(share=100 * share))

    # -- the spread -------------------------------------------------------------------------------

    def _sample(self, image: Image, at: float, size: tuple[int, ...]) -> None:
        """Keep an image now and then, and learn the spread of them."""
        if self._learn is None:
            return
        if self._spread_at is None:
            known = self._entry.background.spread is not None
            self._spread_at = at + (SPREAD_S if known else SPREAD_FIRST_S)
        if at - self._sampled >= SAMPLE_S:
            self._sampled = at
            self._samples.append(resize_image(image, size[0], size[1]))
        if at >= self._spread_at and self._pending is None and len(self._samples) >= LEAST:
            self._spread_at = at + SPREAD_S
            images, bg = list(self._samples), self._fresh.copy()
            self._pending = self._entry, self._pool.submit(self._learn, images, bg)

    def _new_spread(self) -> Change | None:
        """The spread when it is learned, where it is another one."""
        if self._pending is None or not self._pending[1].done():
            return None
        (entry, future), self._pending = self._pending, None
        try:
            spread = future.result()
        except EdgeError as error:  # the build is another one meanwhile
            note(f"{error}; the spread stays as it is")
            self._learn = None
            return None
        before = self._entry.background
        if entry is not self._entry:
            return None
        if before.spread is not None:
            known = cv2.resize(before.spread, spread.shape[1::-1], interpolation=cv2.INTER_AREA)
            if float(cv2.absdiff(known, spread).mean()) < SPREAD_DIFFERS:
                return None
        elif not spread.any():
            return None
        self._entry.background = replace(before, spread=spread)
        self._keep(self._entry)
        moves = 100 * moving_share(spread)
        text = (
            f"the spread was learned, {moves:.0f} % of the scene moves while nothing new is there"
        )
        return Change(RENEWED, self._entry.background, text)

    # -- another light ----------------------------------------------------------------------------

    def check(self, image: Image, at: float, check: SceneCheck) -> Change | None:
        """Look at the light of a frame, a few times a second.

        Args:
            image: uint8 [H, W, 3] BGR.
            at: its time in seconds.
            check: of the background in use; it has seen the frame.
        """
        light, state = light_of(image), check.seen.kind
        other = state == CHANGED or (state == OK and light.distance(self._light) > LIGHT)
        if not other:
            self._odd = []
            return None
        if not self._odd or at < self._odd_since:
            self._odd, self._odd_since = [], at
        self._odd = [*self._odd[-8:], image]
        if at - self._odd_since < HOLD_S:
            return None
        change = self._nearest(image, light, at)
        if change is None and (state == OK or check.same_view(image)):
            change = self._learned(at)
        if change is None:
            self._odd = []  # told by the check, as it is
        return change

    def _nearest(self, image: Image, light: Light, at: float) -> Change | None:
        """The background of the bank in this light, where there is one."""
        others = [each for each in self.bank if each is not self._entry]
        others.sort(key=lambda each: light.distance(light_of(each.background.image)))
        for entry in others:
            known = entry.background.image
            if light.distance(light_of(known)) > NEAR:
                return None
            if SceneCheck(known).look_at(image).kind == OK:
                hidden = self._hidden()
                self._keep(self._entry)
                self._entry, entry.used = entry, at
                # What was a guess and is hidden no more is seen now.
                seen = entry.background.unsure & ~hidden
                if seen.any():
                    entry.background = _with(entry.background, self._median(), seen)
                unsure = entry.background.unsure
                self._last_seen.hide(unsure, entry.background.image, unsure)
                self._reset(at)
                self._occlude(image)
                self._keep(entry)
                return Change(SWITCHED, entry.background, TEXTS[SWITCHED])
        return None

    def _learned(self, at: float) -> Change:
        """A new background of the bank, of the images in the new light; where things stood when
        the light was still the former one, it is the former background as it would look."""
        image, hidden, before = self._median(), self._hidden(), self._entry.background
        self._last_seen.hide(hidden, before.image, before.unsure)
        former = self._former(image)
        if former is not before:
            self._last_seen.replace(hidden, former.image, former.unsure)
        same = same_structure(image, self._last_seen.relit(image, ~hidden), SAME_LIT)
        # Shadows are told as things, and another light has others.
        self._covered = [box for box in self._covered if not shows(same, hidden, box)]
        hidden = self._hidden()
        self._last_seen.hide(hidden, before.image, before.unsure)
        background = replace(
            before,
            image=apart(
                self._last_seen.relit(image, ~hidden), image, hidden & _full(self._things, image)
            ),
            confidence=np.where(hidden, np.uint8(0), np.uint8(255)),
        )
        self._enter(background, at)
        self._reset(at)
        self._occlude(image)
        self._keep(self._entry)
        return Change(LEARNED, background, TEXTS[LEARNED])

    def _former(self, image: Image) -> Background:
        """The background that tells what an image hides: the one in use, or where colour came or
        went the nearest one that has as much."""
        light = light_of(image)
        known = [each.background for each in (self._entry, *self.bank)]
        if not math.isinf(light.distance(light_of(known[0].image))):
            return known[0]
        return min(known, key=lambda each: light.distance(light_of(each.image)))

    def _median(self) -> Image:
        """The scene in the new light."""
        stack = np.stack(self._odd)
        return median_where(stack, np.ones(stack.shape[:3], np.bool_))

    def _hidden(self) -> Bools:
        """What things hid at the last look, bool [H, W]: all of their boxes and a rim, but for what
        showed the background, lit otherwise or not."""
        hidden = np.zeros(self._fresh.shape[:2], np.bool_)
        for box in self._covered:
            hidden[self._place(box)] = True
        if self._last is not None and hidden.any():
            same = same_structure(self._last, self._fresh, SAME).view(np.uint8)
            hidden &= cv2.morphologyEx(same, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) == 0
        return hidden

    def _occlude(self, image: Image) -> None:
        """Remember how what hides guesses looks."""
        unsure, things = self._entry.background.unsure, _full(self._things, image)
        for box in self._covered:
            place = self._place(box)
            if unsure[place].any():
                self._occluders.append(Occluder(image, box, place, unsure, things))

    def _place(self, box: Box) -> Place:
        """Rows and columns of a box with its rim, as far as the image has them."""
        (left, top, wide, tall), rim = box, round(RIM * min(self._fresh.shape[:2]))
        rows, columns = (
            (max(top - rim, 0), top + tall + rim),
            (max(left - rim, 0), left + wide + rim),
        )
        return slice(rows[0], max(rows[1], 0)), slice(columns[0], max(columns[1], 0))

    def _enter(self, background: Background, at: float) -> None:
        """Use a new entry of the bank, in place of the one that was not used for longest."""
        light = light_of(background.image)
        others = [each for each in self.bank if each is not self._entry]
        near = [each for each in others if light.distance(each.anchor) < NEAR]
        if near:
            number = near[0].number
            self.bank.remove(near[0])
        elif len(self.bank) >= MOST:
            oldest = min(others, key=lambda each: each.used)
            number = oldest.number
            self.bank.remove(oldest)
        else:
            number = min(set(range(MOST)) - {each.number for each in self.bank})
        self._keep(self._entry)
        self._entry = Entry(number, background, light, at)
        self.bank.append(self._entry)

    def _keep(self, entry: Entry) -> None:
        if self._keeper is not None:
            self._pool.submit(self._keeper.write, replace(entry))


def _full(plane: Bools, image: Image) -> Bools:
    """A plane of the mask's size at the size of an image, bool [H, W]."""
    full = cv2.resize(plane.view(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, np.bool_)


def _with(background: Background, image: Image, where: Bools) -> Background:
    """A background with a part of an image in it, for sure."""
    return replace(
        background,
        image=np.where(where[..., None], image, background.image),
        confidence=np.where(where, np.uint8(255), background.confidence),
    )
