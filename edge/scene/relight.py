"""What nobody saw in a new light, as it would look in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image
from edge.scene.light import COLOURLESS, DARK, SIDE, light_of

COLOURS = 16
"""Colours of a covered place, each of which is lit in its own way: a wall and the ground."""
ALIKE, CHROMA = 2.0, 3.0
"""Distance in CIELAB by which colours are of one material, and how much more hue and saturation
tell of it than brightness does."""
REACH, LEAST_REACH = 0.3, 8.0
"""Distance from a covered place in which its light is seen: share of its longer side, and pixels at
least."""
SAMPLES = 3000
"""Pixels around a place that are taken."""
OWN, EVEN = 2e-5, 5e-4
"""Share of the pixels around a place that must have a colour before that has a light of its own,
and how strongly light is held to be the same all over the place."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


def relit(bg: Image, image: Image, covered: Bools, lit: Bools | None = None) -> Image:
    """An image of a scene in another light, and behind what covers it the former background.

    The light of a covered pixel is the ratio of both around the place where the former background
    has its colour, as a plane over the image: light fades with the distance.

    Args:
        bg: uint8 [H, W, 3] BGR, the former background.
        image: of the same size, in the new light.
        covered: bool [H, W], where things stand in the image.
        lit: the same, where both show the scene; None: wherever nothing is covered.

    Returns:
        uint8 [H, W, 3]: the image; where it is covered the background in the new light.
    """
    if not covered.any():
        return np.array(image)
    former = bg
    if light_of(image).colour < COLOURLESS * light_of(bg).colour:
        bg = np.asarray(cv2.cvtColor(cv2.cvtColor(bg, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    scale = min(1.0, SIDE / max(covered.shape))
    size = tuple(max(1, round(scale * length)) for length in covered.shape[::-1])

    def small(plane: npt.NDArray[np.generic]) -> Floats:
        return np.asarray(
            cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32
        )

    soft_image, soft_bg = (
        cv2.blur(small(plane), (3, 3)) + np.float32(DARK) for plane in (image, bg)
    )
    # Noise must not change what a pixel is taken for, nor blur mix what meets at an edge.
    colour = _colour(cv2.medianBlur(small(former).astype(np.uint8), 5))
    # At the rim a soft pixel mixes what is seen with what is not.
    seen = cv2.erode(small(~covered if lit is None else lit), np.ones((3, 3), np.uint8)) > 0.999
    soft_colour = _colour(cv2.blur(small(former), (3, 3)))
    scene = _Scene(np.log(soft_image / soft_bg), soft_colour, colour, seen)
    gain = np.zeros_like(colour)
    count, labels = cv2.connectedComponents((small(covered) > 0).view(np.uint8))
    for number in range(1, count):
        place = labels == number
        gain[place] = scene.light(place)
    full = np.exp(cv2.resize(gain, covered.shape[::-1], interpolation=cv2.INTER_LINEAR)[covered])
    made = np.array(image)
    guess = (bg[covered] + np.float32(DARK)) * full - np.float32(DARK)
    made[covered] = np.rint(np.clip(guess, 0, 255))
    return made


@dataclass(frozen=True)
class _Scene:
    """A scene in two lights.

    Attributes:
        ratio: float32 [h, w, 3], logarithm of the ratio of its lights.
        soft_colour: float32 [h, w, 3], of its materials, as soft as the ratio.
        colour: the same, sharp.
        seen: bool [h, w], where that is known.
    """

    ratio: Floats
    soft_colour: Floats
    colour: Floats
    seen: Bools

    def light(self, place: Bools) -> Floats:
        """The logarithm of the ratio in a place of N pixels, float32 [N, 3]."""
        ends = [(int(at.min()), int(at.max())) for at in np.nonzero(place)]
        reach = max(REACH * max(high - low for low, high in ends), LEAST_REACH)

        def planes(points: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
            """1, how far down and right of the middle, and the distance from the box, in reach."""
            places = np.stack(np.divmod(points, place.shape[1]), 1).astype(np.float32)
            low, high = np.array(ends, np.float32).T
            middle = (low + high) / 2
            beyond = np.maximum(np.abs(places - middle) - (high - low) / 2, 0)
            ones = np.ones((len(points), 1), np.float32)
            where = np.concatenate([ones, (places - middle) / reach], 1)
            return where, np.linalg.norm(beyond, axis=1) / reach

        rows, columns = (
            slice(max(round(low - 2 * reach), 0), round(high + 2 * reach) + 1) for low, high in ends
        )
        near = np.zeros_like(self.seen)
        near[rows, columns] = self.seen[rows, columns]
        around = np.flatnonzero(near if near.any() else self.seen)
        inside = np.flatnonzero(place)
        if not around.size:
            return np.zeros((len(inside), 3), np.float32)
        around = around[:: -(-len(around) // SAMPLES)]
        where, far = planes(around)
        ratio, colour = (plane.reshape(-1, 3)[around] for plane in (self.ratio, self.soft_colour))
        own = self.colour.reshape(-1, 3)[inside]
        palette = _palette(self.soft_colour.reshape(-1, 3)[inside])
        by_distance = np.exp(-2 * far**2) + np.float32(1e-6)
        all_over = _fit(where, ratio, by_distance[None], np.zeros((3, 3), np.float32), 1e-6)[0]
        weights = by_distance * _alike(palette, colour)
        lights = _fit(where, ratio, weights, all_over, OWN * len(around))
        share = _alike(own, palette, relative=True)
        found = np.einsum("nc,ni,cij->nj", share, planes(inside)[0], lights, optimize=True)
        return np.asarray(np.clip(found, ratio.min(0), ratio.max(0)), np.float32)


def _colour(image: cv2.typing.MatLike) -> Floats:
    """Colours of an image, [h, w, 3] BGR of 0 to 255, in which materials are apart."""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    return np.asarray(lab * np.array([1, CHROMA, CHROMA], np.float32), np.float32)


def _palette(colours: Floats) -> Floats:
    """At most COLOURS means of similar colours, float32 [C, 3] of [N, 3] (k-means)."""
    colours = colours[:: -(-len(colours) // SAMPLES)]
    if len(colours) <= COLOURS:
        return colours
    by_brightness = np.empty(len(colours), np.int32)
    order = np.argsort(colours[:, 0], kind="stable")
    by_brightness[order] = np.arange(len(colours)) * COLOURS // len(colours)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 12, 0.5)
    flags = cv2.KMEANS_USE_INITIAL_LABELS  # random ones would make every run another
    return np.asarray(
        cv2.kmeans(colours, COLOURS, by_brightness[:, None], criteria, 1, flags)[2], np.float32
    )


def _alike(some: Floats, others: Floats, relative: bool = False) -> Floats:
    """How alike each of some colours and each of others are, [N, M] from 0 to 1; with `relative`
    shares, which add up to 1."""
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    apart = np.maximum(squares, 0) / np.float32(2 * ALIKE**2)
    if not relative:
        return np.asarray(np.exp(-apart))
    share = np.exp(apart.min(1, keepdims=True) - apart)
    return np.asarray(share / share.sum(1, keepdims=True))


def _fit(where: Floats, ratio: Floats, weights: Floats, prior: Floats, own: float) -> Floats:
    """Planes through ratios, float32 [C, 3, 3] for weights [C, N]: least squares, with little
    slope, and near those of `prior` where the weights are small beside `own`."""
    weighted = weights[:, None] * where.T[None]
    slopes = np.array([0, 1, 1], np.float32)
    even = EVEN * weights.sum(1)[:, None] * slopes + np.float32(own)
    products = weighted @ where + even[:, :, None] * np.eye(3, dtype=np.float32)
    return np.asarray(np.linalg.solve(products, weighted @ ratio + np.float32(own) * prior))
