"""Light on the scene: lamps, ambient occlusion, shadows and tone mapping, in linear light."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.layout import Lamp, Layout
from edge.calibrate.rendering.rays import Array, Box, dot, vector
from edge.calibrate.rendering.scene_object import Part, outline
from edge.samples.sample import Image


def lamp_light(layout: Layout, points: Array, normal: Array, lamp: Lamp) -> Array:
    """Return the light of one lamp at points [..., 3] with surface normals [..., 3]."""
    towards = lamp.position - points
    distance = np.sqrt(dot(towards, towards))
    facing = np.maximum(dot(towards, normal) / distance, 0)
    falloff = 1.0 if layout.outdoors else 3.2 / (1 + (distance / 1.6) ** 2)
    return np.asarray(lamp.power * facing * falloff, np.float32)


def occlusion(layout: Layout, size: tuple[int, int], points: Array, normal: Array) -> Array:
    """Return the ambient light that reaches points [H, W, 3] near corners and furniture, 0..1."""
    left, right, end = layout.bounds
    near = np.minimum(
        np.minimum(points[..., 0] - left, right - points[..., 0]), end - points[..., 2]
    )
    horizontal = np.abs(normal[..., 1]) > 0.5
    edge = np.where(horizontal, near, points[..., 1])
    shade = 1 - np.float32(0.4) * np.exp(-np.maximum(edge, 0) / np.float32(0.35))
    for box in layout.furniture:
        around = Box(box.base, box.size + vector(1, 0, 1), box.turn)
        window = layout.camera.window(around.corners(), size, 0)
        if window is None:
            continue
        local = np.abs(box.local(points[window]))
        gap = np.maximum(local - vector(float(box.size[0]) / 2, 9, float(box.size[2]) / 2), 0)
        close = np.exp(-np.hypot(gap[..., 0], gap[..., 2]) / np.float32(0.15))
        low = points[window][..., 1] < 0.02
        shade[window] *= np.where(low, 1 - np.float32(0.45) * close, np.float32(1))
    return np.asarray(shade, np.float32)


def shadow(points: Array, lamp: Lamp, parts: list[Part], softness: float) -> Array:
    """Return the share of a lamp's light that the parts block at points [H, W, 3], 0..1.

    Args:
        points: Places in the scene, one per pixel.
        lamp: The light source.
        parts: The solids that cast the shadow.
        softness: Width of the shadow's edge in pixels; wide enough that every second point is cast.
    """
    coarse = points[::2, ::2]
    towards = lamp.position - coarse
    unit = towards / np.linalg.norm(towards.astype(np.float64), axis=-1, keepdims=True)
    dark = np.zeros(coarse.shape[:-1], bool)
    for part in parts:
        rays = part.solid.ball.may_meet(lamp.position, unit) & ~dark
        distance, _ = part.solid.hit(coarse[rays], towards[rays])
        dark[rays] = distance < 0.999
    soft = cv2.GaussianBlur(dark.astype(np.float32), (0, 0), softness / 2)
    full = cv2.resize(soft, points.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, np.float32)


def cast_shadows(
    colour: Array, layout: Layout, points: Array, lit: list[Array], parts: list[Part]
) -> None:
    """Subtract the light that an object blocks, and darken the floor at its feet.

    Args:
        colour: float32 [H, W, 3], linear light of the scene; changed in place.
        layout: The scene.
        points: float32 [H, W, 3], the place of each pixel in the empty scene.
        lit: The share of `colour` that each lamp gives, float32 [H, W, 3] each.
        parts: The solids of the object.
    """
    size = (points.shape[0], points.shape[1])
    body = outline(parts)
    reach = body[:, 1].max()
    foot = body[body[:, 1] < 0.3].mean(0)
    for lamp, light in zip(layout.lamps, lit, strict=True):
        # Where the rays through the body's outline meet the floor, limited to a few body heights.
        drop = np.clip(body[:, 1:2] / np.maximum(lamp.position[1] - body[:, 1:2], 0.3), 0, 2.5)
        away = (body - lamp.position) * drop
        length = np.maximum(np.linalg.norm(away[:, ::2], axis=1, keepdims=True), 1e-3)
        away *= np.minimum(1, 3 * reach / length)
        covered = np.concatenate([body, body + away]).astype(np.float32)
        window = layout.camera.window(covered, size, 6)
        if window is None:
            continue
        dark = shadow(points[window], lamp, parts, 1.2 if layout.outdoors else 2.5)
        colour[window] -= light[window] * dark[..., None]
    feet = foot + vector(0.5, 0, 0.5) * np.array([[-1], [1]], np.float32)
    window = layout.camera.window(feet, size, 30)
    if window is not None:
        away = points[window] - foot
        gap = np.hypot(away[..., 0], away[..., 2])
        low = points[window][..., 1] < 0.05
        colour[window] *= np.where(low, 1 - 0.35 * np.exp(-((gap / 0.22) ** 2)), 1)[..., None]


def halve(values: npt.NDArray[np.floating], size: tuple[int, int]) -> Array:
    """Average values at twice the size down to `size` (height, width)."""
    height, width = size
    return np.asarray(
        cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA),
        np.float32,
    )


def tone_map(linear: Array, size: tuple[int, int]) -> Image:
    """Convert linear light at twice the size to uint8 BGR: a soft shoulder, then gamma 2.2."""
    exposed = halve(linear, size) * np.float32(1.15)
    toned = exposed * (1 + exposed / 4) / (1 + exposed)
    grey = np.clip(toned * 1.2, 0, 1) ** np.float32(1 / 2.2)
    return np.asarray(grey * 255 + 0.5, np.uint8)
