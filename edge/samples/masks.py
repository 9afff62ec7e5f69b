"""Masks as programs write them, read by the values that a whole set of them has.

A set is the masks of one sequence or archive. What is certain is taken:

    8 bits, up to 192 or more     0..255
    0 and 1                       0 and 255
    16 bits, up to 49152 or more  0..65535; up to 255: 0..255
    colour                        equal channels, or one colour on black (red, cyan, ...)
    alpha that varies             the alpha channel, unless the colours hold another mask

Everything else is refused with the values that were found: instance numbers, palettes of classes,
label codes of other data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, SampleError

Labels = npt.NDArray[np.uint8]

CODES = {0: BACKGROUND, 50: BACKGROUND, 85: IGNORED, 170: IGNORED, 255: FOREGROUND}
"""CDnet's codes (Goyette et al. 2012): 50 hard shadow, 85 outside the region of interest, 170
unknown."""
LOOKED_AT = 16
"""Masks of a set, evenly spaced, whose values decide how all are read."""
CHROMA = 12
"""Levels that the channels of a grey JPEG may differ by."""
BRIGHT = 192
"""Least brightest value of masks in 0..255."""
CODE_NOISE = 12
"""Levels that a label code in a JPEG may be off."""


def from_alpha(mask: Labels) -> Labels:
    """Convert a soft mask, uint8 [H, W], to labels; values from 64 to 191 become IGNORED."""
    labels = np.full(mask.shape, IGNORED, np.uint8)
    labels[mask < 64] = BACKGROUND
    labels[mask > 191] = FOREGROUND
    return labels


def from_codes(codes: Labels) -> Labels:
    """Convert CDnet codes, uint8 [H, W], to labels; other values become IGNORED."""
    table = np.full(256, IGNORED, np.uint8)
    for code, label in CODES.items():
        table[code] = label
    return np.asarray(table[codes], np.uint8)


@dataclass(frozen=True)
class MaskValues:
    """The values of one mask or of several.

    Attributes:
        kinds: Names of the dtypes.
        levels: Distinct values of each channel B, G, R, at most 257 of them beside the largest.
        alpha: Distinct values of the alpha channel; empty where there is none.
        grey: The channels are equal, but for the noise of a JPEG.
        colours: Distinct colours where the mask is not grey, at most three.
        conflict: Colours and alpha hold two different masks.
    """

    kinds: frozenset[str] = frozenset()
    levels: tuple[frozenset[float], frozenset[float], frozenset[float]] = (frozenset(),) * 3
    alpha: frozenset[float] = frozenset()
    grey: bool = True
    colours: frozenset[tuple[float, ...]] = frozenset()
    conflict: bool = False

    def __or__(self, other: MaskValues) -> MaskValues:
        b, g, r = (mine | theirs for mine, theirs in zip(self.levels, other.levels, strict=True))
        return MaskValues(
            self.kinds | other.kinds,
            (b, g, r),
            self.alpha | other.alpha,
            self.grey and other.grey,
            self.colours | other.colours,
            self.conflict or other.conflict,
        )


def _levels(plane: npt.NDArray[Any]) -> frozenset[float]:
    values = np.unique(plane)
    if len(values) > 257:
        values = np.append(values[:256], values[-1])
    return frozenset(map(float, values))


def values_of(mask: npt.NDArray[Any]) -> MaskValues:
    """Collect the values of a mask as it is stored, [H, W] or [H, W, C]."""
    kind = frozenset([mask.dtype.name])
    if mask.ndim == 2:
        levels = _levels(mask)
        return MaskValues(kind, (levels, levels, levels))
    b, g, r = (_levels(mask[..., channel]) for channel in range(3))
    wide = mask[..., :3].astype(np.float32)
    spread = wide.max(axis=2) - wide.min(axis=2)
    noise = CHROMA if mask.dtype == np.uint8 and wide.max() > 2 * CHROMA else 0
    grey = bool((spread <= noise).all())
    distinct = [] if grey else np.unique(wide.reshape(-1, 3), axis=0)[:3].tolist()
    colours = frozenset(map(tuple, distinct))
    alpha: frozenset[float] = frozenset()
    conflict = False
    if mask.shape[2] == 4:
        alpha = _levels(mask[..., 3])
        plane, opaque = wide.max(axis=2), mask[..., 3] > max(alpha) / 2
        if grey and len(b) == 2 and 0 in b and len(alpha) > 1:
            conflict = bool(((plane > 0) != opaque).mean() > 0.01)
    return MaskValues(kind, (b, g, r), alpha, grey, colours, conflict)


@dataclass(frozen=True)
class Coding:
    """How the masks of a set are read.

    Attributes:
        channel: The channel that holds the mask; None for masks of one channel.
        factor: What its values are multiplied with to reach 0..255.
    """

    channel: int | None
    factor: float

    def decode(self, mask: npt.NDArray[Any]) -> Labels:
        """Return the mask as uint8 [H, W] in 0..255."""
        plane = mask if mask.ndim == 2 else mask[..., self.channel or 0]
        if plane.dtype == np.uint8 and self.factor == 1:
            return np.asarray(plane, np.uint8)
        scaled = plane.astype(np.float32) * np.float32(self.factor)
        return np.asarray(scaled.round().clip(0, 255), np.uint8)


def coding_of(values: MaskValues, codes: bool) -> Coding:
    """Decide how masks of these values are read.

    Args:
        values: Of several masks.
        codes: The masks hold CDnet's label codes; else they are soft.

    Raises:
        SampleError: It is not certain.
    """
    channel = _channel(values)
    levels = values.alpha if channel == 3 else values.levels[channel or 0]
    return Coding(channel, _factor(levels, values.kinds, codes))


def _channel(values: MaskValues) -> int | None:
    if values.conflict:
        raise _refused("colours and alpha channel hold two different masks", values)
    bright = [channel for channel in range(3) if max(values.levels[channel], default=0) > CHROMA]
    if not bright:  # perhaps 0 and 1
        bright = [channel for channel in range(3) if max(values.levels[channel], default=0) > 0]
    if len(values.alpha) > 1:
        return 3
    if values.alpha == {0} and bright:
        raise _refused("every pixel is transparent", values)
    if values.grey or not bright:
        return 0
    black = (0.0, 0.0, 0.0)
    if len(bright) == 1 or (len(values.colours) == 2 and black in values.colours):
        return bright[0]
    raise _refused("they have several colours", values)


def _factor(levels: frozenset[float], kinds: frozenset[str], codes: bool) -> float:
    """What the values are multiplied with, 1 where there is nothing but background."""
    top = max(levels, default=0.0)
    if kinds - {"uint8", "uint16", "float32", "float64"}:
        raise _refused(f"they are of type {', '.join(sorted(kinds))}", levels)
    if min(levels, default=0.0) < 0 or not np.isfinite(list(levels)).all():
        raise _refused("they have negative or infinite values", levels)
    if top == 0:
        return 1.0
    if levels <= {0.0, 1.0} or (top == 1 and kinds <= {"float32", "float64"}):
        return 255.0
    if top > 255:
        if codes and not levels <= {257.0 * code for code in CODES}:
            raise _refused("they are no label codes", levels)
        if kinds == {"uint16"} and top >= BRIGHT * 257:
            return 1 / 257
        raise _refused("their range is unknown", levels)
    if codes and levels <= set(map(float, CODES)):
        return 1.0
    if top < BRIGHT or (kinds != {"uint8"} and top < 255):
        raise _refused("their range is unknown", levels)
    between = {value for value in levels if 0 < value < top}
    if between and top == 255 and max(between) <= 30:
        raise _refused("they may be numbers of classes or objects, and 255 may be unknown", levels)
    return 1.0


def _refused(finding: str, values: MaskValues | frozenset[float]) -> SampleError:
    if isinstance(values, MaskValues):
        names = ("blue", "green", "red")
        listed = [f"{name} {_list(v)}" for name, v in zip(names, values.levels, strict=True)]
        listed += [f"alpha {_list(values.alpha)}"] if values.alpha else []
        text = ", ".join(listed)
    else:
        text = _list(values)
    return SampleError(
        f"unknown which values of the masks are foreground, {finding}: {text}",
        "write masks as grey PNG with 0 for background and 255 for foreground",
    )


def _list(values: frozenset[float]) -> str:
    ordered = [f"{value:g}" for value in sorted(values)]
    return " ".join(ordered if len(ordered) <= 8 else [*ordered[:5], "...", *ordered[-2:]])


class MaskSet:
    """The masks of one sequence or archive, read alike.

    Args:
        names: Of all masks.
        read: Returns a mask as it is stored, by its name; SampleError where it cannot be read.
        codes: The masks hold CDnet's label codes; else they are soft.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[str], npt.NDArray[Any]],
        *,
        codes: bool,
    ) -> None:
        self._names, self._read, self._codes = names, read, codes
        self._values: MaskValues | None = None

    def labels(self, name: str) -> Labels:
        """Read a mask as labels, uint8 [H, W].

        The values of the mask itself count beside those of the set, so that a mask which the
        others do not explain is refused, whatever was read before it.

        Raises:
            SampleError: The mask cannot be read, or it is not certain what it means.
        """
        mask = self._read(name)
        if self._values is None:
            self._values = self._look()
        coding = coding_of(self._values | values_of(mask), self._codes)
        plane = coding.decode(mask)
        if not self._codes:
            return from_alpha(plane)
        return from_codes(_snapped(plane) if name.lower().endswith((".jpg", ".jpeg")) else plane)

    def _look(self) -> MaskValues:
        step = max(1, len(self._names) // LOOKED_AT)
        return reduce(MaskValues.__or__, map(self._readable, self._names[::step]), MaskValues())

    def _readable(self, name: str) -> MaskValues:
        try:
            return values_of(self._read(name))
        except SampleError:
            return MaskValues()


def _snapped(codes: Labels) -> Labels:
    """Move values near a code onto it, as JPEG leaves them."""
    table = np.arange(256, dtype=np.int64)
    for code in CODES:
        table[max(0, code - CODE_NOISE) : code + CODE_NOISE + 1] = code
    return np.asarray(table[codes], np.uint8)
