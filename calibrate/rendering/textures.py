"""Textures of surfaces: colour by position in metres, BGR in linear light, 0..1, with dirt."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Texture = Callable[[Array, Array], Array]
"""Maps (u, v), float32 of one shape in metres, to colours float32 [..., 3]."""

SIDE = 256
ROW = 4096


class Noise:
    """Smooth periodic noise: one random tile, sampled at several scales."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._tile = rng.random((SIDE, SIDE), dtype=np.float32)

    def __call__(self, u: Array, v: Array, scale: float) -> Array:
        """Return values in 0..1 that change over `scale` metres."""
        # cv2.remap takes up to 32767 columns, so a long list is folded into rows.
        places = np.stack([u.ravel() / scale, v.ravel() / scale]) % SIDE
        rows = -(-places.shape[1] // ROW)
        folded = np.zeros((2, rows * ROW), np.float32)
        folded[:, : places.shape[1]] = places
        x, y = folded.reshape(2, rows, ROW)
        values = cv2.remap(self._tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(values, np.float32).ravel()[: places.shape[1]].reshape(u.shape)

    def rough(self, u: Array, v: Array, scale: float, octaves: int = 3) -> Array:
        """Return a sum of octaves of noise, about -1 to 1."""
        total = np.zeros_like(u)
        for octave in range(octaves):
            total += (self(u + 7.3 * octave, v, scale / 2**octave) - 0.5) / 2**octave
        return total

    def cells(self, i: Array, j: Array) -> Array:
        """Return one value in 0..1 per integer (i, j), by which tiles and bricks differ."""
        return np.asarray(
            self._tile[(j.astype(int) * 31 + 7) % SIDE, (i.astype(int) * 17 + 3) % SIDE]
        )


def colour(rng: np.random.Generator, value: tuple[float, float], chroma: float) -> Array:
    """Draw a colour, float32 [3], with its mean in the range `value`; chroma 0 is grey."""
    level = rng.uniform(*value)
    tint = np.exp(rng.normal(0, chroma, 3))
    return np.asarray(np.clip(level * tint / tint.mean(), 0.01, 0.95), np.float32)


def plain(base: Array, noise: Noise, scale: float, strength: float) -> Texture:
    """Return plaster, carpet, asphalt or grass: one stained colour, rough at `scale` metres."""

    def at(u: Array, v: Array) -> Array:
        level = 1 + strength * noise.rough(u, v, scale) + 0.25 * noise.rough(u, v, 2.0, 2)
        return np.asarray(base * np.clip(level, 0.1, 2)[..., None], np.float32)

    return at


def tiled(
    base: Array, noise: Noise, size: tuple[float, float], joint: float, offset: float, vary: float
) -> Texture:
    """Return tiles, planks or bricks of `size` metres with joints; rows shift by `offset` tiles."""

    def at(u: Array, v: Array) -> Array:
        row = np.floor(v / size[1])
        shifted = u + offset * size[0] * row
        column = np.floor(shifted / size[0])
        level = 1 + vary * (noise.cells(column, row) - 0.5) + 0.12 * noise.rough(u, v * 0.2, 0.05)
        level += 0.2 * noise.rough(u, v, 1.7, 2)
        edge = np.minimum(shifted - column * size[0], v - row * size[1])
        return np.asarray(base * (level * np.where(edge < joint, 0.6, 1.0))[..., None], np.float32)

    return at


def with_panel(
    under: Texture,
    left: float,
    low: float,
    size: tuple[float, float],
    inner: Array,
    frame: Array,
    bars: int,
    noise: Noise,
) -> Texture:
    """Return a wall with a door, window or poster: a framed rectangle with `bars` each way."""

    def at(u: Array, v: Array) -> Array:
        below = under(u, v)
        a, b = (u - left) / size[0], (v - low) / size[1]
        inside = (a > 0) & (a < 1) & (b > 0) & (b < 1)
        if not inside.any():
            return below
        margin = np.minimum(np.minimum(a, 1 - a) * size[0], np.minimum(b, 1 - b) * size[1])
        cross = np.minimum(
            np.abs((a * bars + 0.5) % 1 - 0.5) * size[0],
            np.abs((b * bars + 0.5) % 1 - 0.5) * size[1],
        )
        edge = (margin < 0.06) | ((cross < 0.03) & (bars > 1))
        shade = 1 + 0.35 * noise.rough(u, v, 0.5)
        panel = np.where(edge[..., None], frame, inner * shade[..., None])
        return np.asarray(np.where(inside[..., None], panel, below), np.float32)

    return at


def with_skirting(under: Texture, board: Array, height: float = 0.11) -> Texture:
    """Return a wall with a skirting board and dirt above it."""

    def at(u: Array, v: Array) -> Array:
        dirt = 1 - 0.25 * np.exp(-np.maximum(v, 0) / 0.5)
        return np.asarray(
            np.where((v < height)[..., None], board, under(u, v) * dirt[..., None]), np.float32
        )

    return at
