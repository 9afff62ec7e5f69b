"""What the GPU does to pictures, against OpenCV doing it to each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.calibrate.rendering import sensor
from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import Image
from edge.train.augment.photometric import Exposure, drawn, drawn_lightly, exposed
from edge.train.augment.photometric_batch import exposed as exposed_batch
from edge.train.augment.photometric_batch import spoiled, stacked
from edge.train.data.mix import Mix, open_source


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    return [Rendered(4, (96, 128), seed=2)[i].fg_bg for i in range(4)]


def both(pictures: list[Image], by: list[Exposure]) -> tuple[Image, Image]:
    """What a batch gives, and what OpenCV gives picture by picture; int."""
    rows = stacked([(one, one) for one in by])
    fields = {name[3:]: value for name, value in rows.items() if name.startswith("bg.")}
    found = exposed_batch(torch.from_numpy(np.stack(pictures)), fields).numpy()
    return found.astype(int), np.stack([exposed(*pair) for pair in zip(pictures, by, strict=True)])


def test_an_exposure_that_changes_nothing_changes_nothing(pictures: list[Image]) -> None:
    found, _ = both(pictures, [Exposure()] * 4)
    assert np.array_equal(found, np.stack(pictures))


@pytest.mark.parametrize(
    ("change", "mean", "most"),
    [
        ({"table": sensor.light_table(np.random.default_rng(1))}, 0, 0),
        ({"moved": (1.7, -0.6)}, 0.5, 8),  # OpenCV moves by 32nds of a pixel
        ({"light": sensor.local_light(np.random.default_rng(2))}, 0.1, 1),
        ({"blur": 0.9}, 0.1, 1),
        ({"quality": 30}, 1.2, 60),  # the colours' way back to full size is not laid down
        ({"quality": 85}, 0.7, 30),  # half of it is rounding to whole grey levels
    ],
)
def test_every_change_is_that_of_opencv(
    change: dict[str, object], mean: float, most: int, pictures: list[Image]
) -> None:
    by = [replace(Exposure(), **change), Exposure()] * 2  # type: ignore[arg-type]
    found, expected = both(pictures, by)
    assert np.abs(expected[0].astype(int) - pictures[0]).mean() > mean  # or nothing is shown
    assert np.abs(found - expected).mean() <= mean
    assert np.abs(found - expected).max() <= most
    assert np.array_equal(found[1], pictures[1])


def test_noise_is_as_strong_as_opencvs_and_repeats(pictures: list[Image]) -> None:
    by = [Exposure(noise=6.0, seed=4), Exposure()] * 2
    found, expected = both(pictures, by)
    again, _ = both(pictures, by)
    assert np.array_equal(found, again)
    mine, theirs = (np.std(noisy[0] - pictures[0].astype(int)) for noisy in (found, expected))
    assert mine == pytest.approx(theirs, rel=0.05)
    assert np.array_equal(found[1], pictures[1])


def test_whole_exposures_stay_together(pictures: list[Image]) -> None:
    rng = np.random.default_rng(7)
    pairs = [draw(rng) for draw in (drawn, drawn_lightly) for _ in range(16)]
    for pair in pairs:
        quiet = [replace(one, noise=0.0) for one in pair]
        found, expected = both(pictures[:2], quiet)
        assert np.abs(found - expected).mean() < 2.5


def test_raw_batches_are_taken_on_the_device() -> None:
    sources = [open_source("rendered:4:1", 64, None, [])]
    arguments = {"seed": 3, "start": 0, "end": 8, "batch": 8}
    (raw,) = Mix(sources, raw=True, **arguments)
    (usual,) = Mix(sources, **arguments)
    done = spoiled(raw)
    assert set(done) == set(usual)
    for name in ("mask", "depth", "counts", "known"):
        assert torch.equal(done[name], usual[name])
    apart = (done["fg_bg"].float() - usual["fg_bg"].float()).abs().mean()
    assert apart < (raw["fg_bg"].float() - usual["fg_bg"].float()).abs().mean()
    assert spoiled(usual) is usual


@pytest.mark.parametrize("size", [(100, 168), (57, 64)])
def test_sides_need_not_be_multiples_of_the_encoders_blocks(size: tuple[int, int]) -> None:
    pictures = [Rendered(2, size, seed=2)[i].fg_bg for i in range(2)]
    found, expected = both(pictures, [Exposure(quality=50)] * 2)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 1.5
