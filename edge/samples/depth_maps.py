"""Depth maps of a data set: its recipe.json states what their values mean.

    {"near": "dark"}                         relative: bright is far, dark is near
    {"near": "bright"}                       relative: inverse depth
    {"depth": "millimetres", "invalid": 0}   distance; also centimetres, metres, or the number of
                                             steps per metre (5000 for TUM)

`invalid` is the value of pixels without a reading; distances have 0 for it unless they say so.
Relative maps of 16 bits must reach three quarters of 65535: smaller values are a sensor's units.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from edge import strict_json
from edge.samples.sample import SampleError

STEPS_PER_METRE = {"millimetres": 1000.0, "centimetres": 100.0, "metres": 1.0}
WHITE = {"uint8": 255, "uint16": 65535}
CHROMA = 8
"""Levels that the channels of a grey JPEG may differ by; colour maps differ by more."""


@dataclass(frozen=True)
class DepthMeaning:
    """What the values of a data set's depth maps mean.

    Attributes:
        near_is_bright: Of relative maps; None for distances.
        steps: Values per metre of distances; None for relative maps.
        invalid: Value of pixels without a reading; None where all have one.
    """

    near_is_bright: bool | None = None
    steps: float | None = None
    invalid: float | None = None

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Convert a map as it is stored to inverse depth.

        Returns:
            float32 [H, W], NaN where unknown: 1 / metres of distances, else 0..1; near is large.

        Raises:
            SampleError: The map is colour-mapped, or its values cannot have the stated meaning.
        """
        values = one_channel(stored)
        unknown = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        if self.invalid is not None:
            unknown |= values == self.invalid
        if self.steps is not None:
            if (values < 0).any() and not (values > 0).any():
                raise SampleError("all distances of the depth map are below zero")
            unknown |= values <= 0
            distance = np.where(unknown, np.nan, values.astype(np.float64))
            return np.asarray(self.steps / distance, np.float32)
        white = WHITE.get(values.dtype.name)
        top = values.max()
        if white is None or (white > 255 and 0 < top < 0.75 * white):
            raise SampleError(
                f"the depth map is {values.dtype} with values up to {top:g}, which recipe.json"
                " calls bright or dark",
                'state its unit instead: {"depth": "millimetres", "invalid": 0}',
            )
        bright = values if self.near_is_bright else white - values
        relative = bright.astype(np.float32) / np.float32(white)
        relative[unknown] = np.nan
        return np.asarray(relative, np.float32)


def one_channel(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the one channel of a map; SampleError where its channels differ."""
    if stored.ndim == 2:
        return stored
    colours = stored[..., :3].astype(np.float32)
    differing = (colours.max(axis=2) - colours.min(axis=2) > CHROMA).mean()
    if differing > 0.001:
        raise SampleError(
            "the depth map is colour-mapped, and its colours cannot be turned into depth",
            "store depth as one channel, or delete the depth maps to use the masks alone",
        )
    if stored.shape[2] == 4 and np.ptp(stored[..., 3]) > 0:
        raise SampleError("the depth map has an alpha channel that varies; expected one channel")
    return np.asarray(stored[..., 0])


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # no NaN, no infinity, no thousands of digits


def shown(value: Any) -> str:
    """A value of JSON for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_meaning(recipe: Path, maps: Path) -> DepthMeaning:
    """Read what the depth maps of a data set mean.

    Args:
        recipe: The data set's recipe.json.
        maps: Where its depth maps are, for messages.

    Raises:
        SampleError: The recipe does not state it.
    """
    try:
        stated = strict_json.parse(recipe.read_text("utf-8-sig")) if recipe.is_file() else {}
    except (ValueError, OSError) as error:
        raise SampleError(f"{recipe} cannot be read: {error}") from error
    if not isinstance(stated, dict):
        raise SampleError(f'{recipe} holds no object, expected one such as {{"near": "dark"}}')
    unit, near, invalid = stated.get("depth"), stated.get("near"), stated.get("invalid")
    # `edge dataset compose` records with "depth": true that it wrote depth maps.
    steps = STEPS_PER_METRE.get(unit) if isinstance(unit, str) else None
    if is_number(unit) and unit > 0:
        steps = float(unit)
    if invalid is not None and not is_number(invalid):
        raise SampleError(f'{recipe}: "invalid" is {shown(invalid)}, expected a number')
    if steps is None and isinstance(unit, (str, int, float)) and not isinstance(unit, bool):
        known = ", ".join(STEPS_PER_METRE)
        raise SampleError(
            f"{recipe}: unknown unit of depth {shown(unit)}; expected {known} or a number above 0"
        )
    if steps is not None and near is not None:
        raise SampleError(f'{recipe} states "depth" and "near"; expected one of them')
    if steps is not None:
        return DepthMeaning(steps=steps, invalid=0.0 if invalid is None else float(invalid))
    if near in ("bright", "dark"):
        return DepthMeaning(near == "bright", invalid=None if invalid is None else float(invalid))
    if near is not None:
        raise SampleError(f'{recipe}: "near" is {shown(near)}, expected "bright" or "dark"')
    raise SampleError(
        f"{maps}: unknown whether bright or dark is near",
        f"""for 16-bit millimetres: echo '{{"depth": "millimetres", "invalid": 0}}' > {recipe};"""
        f""" for the seed's own zips: echo '{{"near": "dark"}}' > {recipe}""",
    )
