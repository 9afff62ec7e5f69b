"""Photometric augmentation of a batch, against OpenCV on each image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import Image
from edge.train.augment.photometric import (
    Exposure,
    ExposurePair,
    augment,
    random_exposures,
    random_light_exposures,
)
from edge.train.augment.photometric_batch import augment_batch, augment_images, stack_exposures
from edge.train.data.mix import Mix, batches, open_source


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return [Rendered(4, (96, 128), seed=11)[i].fg_bg for i in range(4)]


def batch_and_opencv(images: list[Image], exposures: list[Exposure]) -> tuple[Image, Image]:
    """The images augmented as a batch, and one by one with OpenCV; int."""
    rows = stack_exposures([ExposurePair(exposure, exposure) for exposure in exposures])
    fields = {n[3:]: torch.from_numpy(v) for n, v in rows.items() if n.startswith("bg.")}
    batch = augment_images(torch.from_numpy(np.stack(images)), fields).numpy()
    return batch.astype(int), np.stack(list(map(augment, images, exposures)))


def test_an_exposure_that_changes_nothing_changes_nothing(images: list[Image]) -> None:
    batch, _ = batch_and_opencv(images, [Exposure()] * 4)
    assert np.array_equal(batch, np.stack(images))


@pytest.mark.parametrize(
    ("change", "mean", "most"),
    [
        ({"table": sensor.light_table(np.random.default_rng(1))}, 0, 0),
        ({"offset": (1.7, -0.6)}, 0.5, 8),  # OpenCV moves by 32nds of a pixel
        ({"light": sensor.local_light(np.random.default_rng(2))}, 0.1, 1),
        ({"blur": 0.9}, 0.1, 1),
        ({"quality": 30}, 1.2, 60),  # no standard says how chroma is upsampled
        ({"quality": 85}, 0.7, 30),  # half of it is rounding to whole grey levels
    ],
)
def test_every_augmentation_matches_opencv(
    change: dict[str, object], mean: float, most: int, images: list[Image]
) -> None:
    exposures = [replace(Exposure(), **change), Exposure()] * 2  # type: ignore[arg-type]
    batch, opencv = batch_and_opencv(images, exposures)
    assert np.abs(opencv[0].astype(int) - images[0]).mean() > mean  # or the test shows nothing
    assert np.abs(batch - opencv).mean() <= mean
    assert np.abs(batch - opencv).max() <= most
    assert np.array_equal(batch[1], images[1])


def test_noise_is_as_strong_as_opencvs_and_repeats(images: list[Image]) -> None:
    exposures = [Exposure(noise=6.0, seed=4), Exposure()] * 2
    batch, opencv = batch_and_opencv(images, exposures)
    again, _ = batch_and_opencv(images, exposures)
    assert np.array_equal(batch, again)
    ours, reference = (np.std(x[0] - images[0].astype(int)) for x in (batch, opencv))
    assert ours == pytest.approx(reference, rel=0.05)
    assert np.array_equal(batch[1], images[1])


def test_whole_exposures_stay_together(images: list[Image]) -> None:
    rng = np.random.default_rng(7)
    pairs = [draw(rng) for draw in (random_exposures, random_light_exposures) for _ in range(16)]
    for pair in pairs:
        quiet = [replace(exposure, noise=0.0) for exposure in pair]
        batch, opencv = batch_and_opencv(images[:2], quiet)
        assert np.abs(batch - opencv).mean() < 2.5


def test_raw_batches_are_augmented_on_the_device() -> None:
    sources = [open_source("rendered:4:1", 64, None, [])]
    arguments = {"seed": 3, "start": 0, "end": 8, "batch": 8}
    (raw,) = batches(Mix(sources, raw=True, **arguments))
    (cpu,) = batches(Mix(sources, **arguments))
    device = augment_batch(raw)
    assert set(device) == set(cpu)
    for name in ("mask", "depth", "counts", "known"):
        assert torch.equal(device[name], cpu[name])
    difference = (device["fg_bg"].float() - cpu["fg_bg"].float()).abs().mean()
    assert difference < (raw["fg_bg"].float() - cpu["fg_bg"].float()).abs().mean()
    assert augment_batch(cpu) is cpu


@pytest.mark.parametrize("size", [(100, 168), (57, 64)])
def test_sides_need_not_be_multiples_of_the_encoders_blocks(size: tuple[int, int]) -> None:
    images = [Rendered(2, size, seed=2)[i].fg_bg for i in range(2)]
    batch, opencv = batch_and_opencv(images, [Exposure(quality=50)] * 2)
    assert batch.shape == opencv.shape
    assert np.abs(batch - opencv).mean() < 1.5
