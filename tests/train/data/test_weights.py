from __future__ import annotations

import numpy as np
import pytest

from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Sample
from edge.train.augment.photometric import Exposure, ExposurePair
from edge.train.data.mix import Mix, batches
from edge.train.data.weights import SHADOW, pixel_weights

AREA = np.s_[8:24, 8:24]
INSIDE = np.s_[10:22, 10:22]
GROUND = (90, 110, 130)


def sample(colour: tuple[int, ...], label: int = BACKGROUND, ground: object = GROUND) -> Sample:
    """An even scene with an area of another colour."""
    bg = np.full((32, 32, 3), ground, np.uint8)
    frame, mask = bg.copy(), np.zeros((32, 32), np.uint8)
    frame[AREA], mask[AREA] = colour, label
    return Sample("s", bg, frame, mask)


def shade(share: float, ground: tuple[int, ...] = GROUND) -> tuple[int, ...]:
    return tuple(round(share * channel) for channel in ground)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_background_in_the_shade_counts_more(share: float) -> None:
    weights = pixel_weights(sample(shade(share)))
    assert (weights[INSIDE] == SHADOW).all()
    weights[7:25, 7:25] = 1
    assert (weights == 1).all()


@pytest.mark.parametrize(
    "colour",
    [
        pytest.param(shade(0.95), id="hardly darker"),
        pytest.param(shade(1.3), id="brighter"),
        pytest.param(shade(0.1), id="black"),
        pytest.param((30, 100, 110), id="another colour"),
    ],
)
def test_other_background_does_not(colour: tuple[int, ...]) -> None:
    assert (pixel_weights(sample(colour))[INSIDE] == 1).all()


def test_labels_decide_what_a_shadow_can_be() -> None:
    assert (pixel_weights(sample(shade(0.5), FOREGROUND))[INSIDE] == 1).all()
    assert (pixel_weights(sample(shade(0.5), IGNORED))[AREA] == 0).all()


def test_noise_in_the_dark_is_no_shadow() -> None:
    assert (pixel_weights(sample((8, 8, 8), ground=(16, 16, 16))) == 1).all()


def test_a_series_has_the_weights_of_images_before_their_light_changes() -> None:
    class Shaded:
        def draw(self, rng: np.random.Generator) -> tuple[Sample, ExposurePair]:
            half = np.tile(np.arange(128, dtype=np.uint8)[:, None], (2, 3))
            return sample(shade(0.5)), ExposurePair(Exposure(), Exposure(table=half))

    for raw in (False, True):
        mix = Mix([(Shaded(), 1.0)], seed=0, start=0, end=2, batch=2, raw=raw)
        (batch,) = batches(mix)
        counts = batch["counts"]
        assert counts.shape == (2, 1, 32, 32)
        assert (counts[:, 0, 10:22, 10:22] == SHADOW).all()
        # The frame is half as bright as its background everywhere, which is no shadow.
        assert (counts[:, 0, :6] == 1).all()
