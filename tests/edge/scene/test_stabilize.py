"""Frames of a camera that moved a little: how far, and where the answer lies then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.samples import Rendered
from edge.errors import UsageError
from edge.runtime.handle import Outputs
from edge.samples.sample import BACKGROUND, FOREGROUND, Image, Sample, resize_sample
from edge.scene import stabilize


def shifted(image: Image, dx: float, dy: float) -> Image:
    """By subpixels, by way of OpenCV's remap: not what edge.scene.stabilize does it with."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    remapped = cv2.remap(image, x - dx, y - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(remapped, np.uint8)


def still(sample: Sample) -> Sample:
    """A rendered frame as if its camera had not moved: the background outside the foreground."""
    foreground = sample.mask[..., None] != BACKGROUND
    return replace(sample, fg_bg=np.where(foreground, sample.fg_bg, sample.bg))


@pytest.fixture(scope="module")
def scenes() -> list[Sample]:
    rendered = Rendered(64, seed=501)
    return [still(rendered[index]) for index in range(0, 64, 8)]


@pytest.fixture
def h(builds: Callable[[str, str], Path]) -> Iterator[edge.Handle]:
    """At 64x64."""
    with edge.open(builds("onnxruntime", "fp32"), threads=1) as opened:
        yield opened


def offset(bg: Image, frame: Image) -> tuple[float, float]:
    return stabilize.estimate_offset(stabilize.build_pyramid(bg), frame)


@pytest.mark.parametrize("size", [(224, 224), (320, 192), (640, 384)], ids=str)
@pytest.mark.parametrize("dx,dy", [(2.0, 0.0), (0.0, -2.0), (1.4, 1.4), (-3.0, 2.0), (1.0, -1.0)])
def test_the_offset_is_found_beside_foreground_and_in_other_light(
    scenes: list[Sample], size: tuple[int, int], dx: float, dy: float, rng: np.random.Generator
) -> None:
    """dx, dy: in pixels of an image whose shorter side has 224."""
    pixel = min(size) / 224
    errors = []
    for scene in (resize_sample(sample, size[1], size[0]) for sample in scenes):
        frame = shifted(scene.fg_bg, pixel * dx, pixel * dy)
        lit = np.clip(frame * np.float32(rng.uniform(0.6, 1.4)) + 5, 0, 255).astype(np.uint8)
        x, y = offset(scene.bg, sensor.noise(lit, rng, 4))
        errors.append(float(np.hypot(x / pixel - dx, y / pixel - dy)))
    assert np.median(errors) < 0.15, errors
    assert np.max(errors) < 0.6, errors


def test_a_still_camera_and_a_scene_without_contrast_are_left_alone(
    scenes: list[Sample], rng: np.random.Generator
) -> None:
    bg = resize_sample(scenes[0], 224, 224).bg
    assert offset(bg, sensor.noise(bg, rng, 4)) == (0, 0)
    wall = np.full((224, 224, 3), 120, np.uint8)
    noisy = sensor.noise(wall, rng, 4)
    assert offset(wall, noisy) == (0, 0)
    assert offset(noisy, sensor.noise(wall, rng, 4)) == (0, 0)
    assert offset(np.zeros_like(wall), np.zeros_like(wall)) == (0, 0)


def test_another_view_is_not_registered(scenes: list[Sample]) -> None:
    bg = resize_sample(scenes[0], 224, 224).bg
    assert offset(bg, shifted(bg, 30, 10)) == (0, 0)
    assert offset(bg, np.ascontiguousarray(bg[::-1])) == (0, 0)


def test_a_small_image_is_left_alone(scenes: list[Sample]) -> None:
    small, least = (resize_sample(scenes[0], side, side) for side in (55, 56))
    assert offset(small.bg, shifted(small.fg_bg, 1, 0)) == (0, 0)
    assert offset(least.bg, shifted(least.fg_bg, 1, 0)) == pytest.approx((1, 0), abs=0.3)


@pytest.mark.parametrize("bytes_out", [False, True])
def test_the_answer_lies_where_the_thing_is_in_the_frame(
    h: edge.Handle, scenes: list[Sample], monkeypatch: pytest.MonkeyPatch, bytes_out: bool
) -> None:
    """The network's place is taken by the truth of the frame as it was before the camera moved."""
    scene = resize_sample(scenes[3], 64, 64)
    mask = (scene.mask == FOREGROUND).astype(np.float32)
    if bytes_out:
        mask = (mask * 255).astype(np.uint8)
    seen: list[Image] = []

    def infer(_: edge.Handle, frame: Image) -> Outputs:
        seen.append(frame)
        return mask, None

    monkeypatch.setattr(stabilize, "infer", infer)
    stabilizer = edge.Stabilizer(h, scene.bg)
    shaken = shifted(scene.fg_bg, 1, -1)
    found, depth = stabilizer.infer(shaken)
    assert found is not None and depth is None
    assert found.dtype == mask.dtype
    assert stabilizer.offset == pytest.approx((1, -1), abs=0.2)
    true = np.roll(mask, (-1, 1), (0, 1)) > 0
    half = 128 if bytes_out else 0.5
    assert ((found >= half) != true).mean() < 0.5 * ((mask > 0) != true).mean()
    # What was inferred lies over the background again.
    inside = np.s_[4:-4, 4:-4]
    there, before = (p[inside].astype(int) - scene.fg_bg[inside] for p in (seen[0], shaken))
    assert np.abs(there).mean() < 0.7 * np.abs(before).mean()
    # A frame in its place is inferred as it is, and so is one of another view.
    assert stabilizer.infer(scene.bg)[0] is mask
    assert seen[-1] is scene.bg and stabilizer.offset == (0, 0)
    assert stabilizer.infer(far := shifted(scene.fg_bg, 2, 0))[0] is mask
    assert seen[-1] is far and stabilizer.offset == (0, 0)


def test_it_answers_as_the_build_does_and_takes_a_new_scene(
    h: edge.Handle, samples: list[Sample], scenes: list[Sample]
) -> None:
    stabilizer = edge.Stabilizer(h, samples[0].bg)
    for sample in (samples[0], resize_sample(scenes[1], 64, 64)):
        stabilizer.set_background(sample.bg)
        found = [np.array(plane) for plane in stabilizer.infer(sample.bg)]
        assert stabilizer.offset == (0, 0)
        edge.set_background(h, sample.bg)
        for plane, true in zip(found, edge.infer(h, sample.bg), strict=True):
            assert np.array_equal(plane, true)


def test_an_image_of_another_kind_is_refused(h: edge.Handle, samples: list[Sample]) -> None:
    large = np.zeros((480, 640, 3), np.uint8)
    wrong = (large, None, samples[0].bg.astype(np.float32), samples[0].bg[..., 0])
    for image in wrong:
        with pytest.raises(UsageError, match=r"bg is .*expected uint8 \[64, 64, 3\]"):
            edge.Stabilizer(h, image)  # type: ignore[arg-type]
    stabilizer = edge.Stabilizer(h, samples[0].bg)
    for image in wrong:
        with pytest.raises(UsageError, match=r"frame is .*expected uint8 \[64, 64, 3\]"):
            stabilizer.infer(image)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"bg is .*expected uint8 \[64, 64, 3\]"):
            stabilizer.set_background(image)  # type: ignore[arg-type]
