"""Frames of a camera that moved a little: how far, and where the answer lies then."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import edge
from edge import steady
from edge.samples import sensor
from edge.samples.rendered import Rendered
from edge.samples.sample import BACKGROUND, FOREGROUND, Sample, resized

Picture = npt.NDArray[np.uint8]


def still(sample: Sample) -> Sample:
    """A rendered frame as if its camera had not moved: outside what is new it is the background."""
    new = sample.mask[..., None] != BACKGROUND
    return replace(sample, fg_bg=np.where(new, sample.fg_bg, sample.bg))


SCENES = [still(resized(Rendered(64, seed=501)[index], 224, 224)) for index in range(0, 64, 8)]


def moved(picture: Picture, dx: float, dy: float) -> Picture:
    """By subpixels, by way of OpenCV's remap: not what edge.steady does it with."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    shifted = cv2.remap(picture, x - dx, y - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(shifted, np.uint8)


def finder(bg: Picture) -> steady.Steady:
    return steady.Steady(None, bg)  # type: ignore[arg-type]


@pytest.mark.parametrize("dx,dy", [(2.0, 0.0), (0.0, -2.0), (1.4, 1.4), (-3.0, 2.0), (1.0, -1.0)])
def test_the_offset_is_found_beside_what_is_new_and_in_other_light(
    dx: float, dy: float, rng: np.random.Generator
) -> None:
    errors = []
    for scene in SCENES:
        frame = moved(scene.fg_bg, dx, dy)
        lit = np.clip(frame * np.float32(rng.uniform(0.6, 1.4)) + 5, 0, 255).astype(np.uint8)
        x, y = finder(scene.bg).offset(sensor.noise(lit, rng, 4))
        errors.append(float(np.hypot(x - dx, y - dy)))
    assert np.median(errors) < 0.15, errors
    assert np.max(errors) < 0.6, errors


def test_a_still_camera_and_a_scene_without_a_hold_are_left_alone(
    rng: np.random.Generator,
) -> None:
    scene = SCENES[0]
    assert finder(scene.bg).offset(sensor.noise(scene.bg, rng, 4)) == (0, 0)
    wall = np.full((224, 224, 3), 120, np.uint8)
    noisy = sensor.noise(wall, rng, 4)
    assert finder(wall).offset(noisy) == (0, 0)
    assert finder(noisy).offset(sensor.noise(wall, rng, 4)) == (0, 0)
    assert finder(np.zeros_like(wall)).offset(np.zeros_like(wall)) == (0, 0)


def test_a_small_picture_is_left_alone() -> None:
    small = resized(SCENES[0], 48, 48)
    assert finder(small.bg).offset(moved(small.fg_bg, 2, 0)) == (0, 0)
    least = resized(SCENES[0], 54, 54)
    assert finder(least.bg).offset(moved(least.fg_bg, 2, 0)) == pytest.approx((2, 0), abs=0.5)


def test_another_view_is_not_followed() -> None:
    bg = SCENES[0].bg
    assert finder(bg).offset(moved(bg, 30, 10)) == (0, 0)
    assert finder(bg).offset(np.ascontiguousarray(bg[::-1])) == (0, 0)


@pytest.mark.parametrize("bytes_out", [False, True])
def test_the_answer_lies_where_the_thing_is_in_the_frame(
    builds, samples: list[Sample], monkeypatch: pytest.MonkeyPatch, bytes_out: bool
) -> None:
    """The network's place is taken by the truth of the frame as it was before the camera moved."""
    with edge.open(builds("onnxruntime", "fp32"), threads=1) as h:
        scene = SCENES[3]
        mask = (scene.mask == FOREGROUND).astype(np.float32)
        if bytes_out:
            mask = (mask * 255).astype(np.uint8)
        seen: list[Picture] = []

        def infer(_: edge.Handle, frame: Picture) -> tuple[npt.NDArray[np.generic], None]:
            seen.append(frame)
            return mask, None

        monkeypatch.setattr(steady, "infer", infer)
        camera = steady.Steady(h, scene.bg)
        shaken = moved(scene.fg_bg, 2, -1)
        found, depth = camera.infer(shaken)
        assert found is not None and depth is None
        assert found.dtype == mask.dtype
        assert camera.moved == pytest.approx((2, -1), abs=0.3)
        true = np.roll(mask, (-1, 2), (0, 1)) > 0
        half = 128 if bytes_out else 0.5
        assert ((found >= half) != true).mean() < 0.01
        # What was inferred lies over the background again.
        inside = np.s_[8:-8, 8:-8]
        there, before = (p[inside].astype(int) - scene.fg_bg[inside] for p in (seen[0], shaken))
        assert np.abs(there).mean() < 0.5 * np.abs(before).mean()
        # A frame in its place is inferred as it is.
        assert camera.infer(scene.bg)[0] is mask
        assert seen[-1] is scene.bg and camera.moved == (0, 0)


def test_a_build_answers_through_it(builds, samples: list[Sample]) -> None:
    with edge.open(builds("onnxruntime", "fp32"), threads=1) as h:
        bg, frame = samples[0].bg, samples[0].fg_bg
        edge.set_background(h, bg)
        expected = [np.array(plane) for plane in edge.infer(h, frame)]
        camera = edge.Steady(h, bg)
        found = camera.infer(frame)
        if camera.moved == (0, 0):
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert all(plane is not None and plane.shape == frame.shape[:2] for plane in found)
