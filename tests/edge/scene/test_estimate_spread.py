"""The spread of a scene in which people pass, stand and sway, beside water, by a network that takes
whatever differs for new until a spread tells it better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.calibrate.rendering.life import Life, to_image
from edge.samples.sample import Image
from edge.scene.estimate_spread import estimate_spread
from edge.scene.spread import deviation, spread_of

SIZE, COUNT = 112, 40
Masks = list[npt.NDArray[np.bool_]]


@pytest.fixture(scope="module")
def scene() -> Image:
    """Smooth colours with a texture of a few pixels, as of a lawn or of water."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(70, 190, (4, 4, 3), np.uint8), (SIZE, SIZE))
    fine = cv2.GaussianBlur(rng.normal(0, 90, (SIZE, SIZE, 1)), (0, 0), 1.5)
    return np.clip(coarse + fine[..., None], 0, 255).astype(np.uint8)


def water(where: tuple[slice, slice]) -> Life:
    region = np.zeros((SIZE, SIZE), np.float32)
    region[where] = 1
    return Life(cv2.GaussianBlur(region, (0, 0), 2), sway=2.5, cells=(16, 16))


def moments(scene: Image, life: Life | None, count: int = COUNT) -> list[Image]:
    """An empty scene with sensor noise."""
    rng = np.random.default_rng(1)
    images = []
    for _ in range(count):
        now = scene.astype(np.float32) if life is None else life.moment(scene.astype("f4"), rng)
        images.append(to_image(now + rng.normal(0, 2, now.shape).astype(np.float32)))
    return images


def network(bg: Image, images: Sequence[Image], spread: Image | None = None, /) -> Masks:
    """New is what differs from the background, by more than it does by itself."""
    limit = np.full(bg.shape[:2], 25.0)
    if spread is not None:
        limit += 1.5 * spread[..., 2]
    return [
        cv2.morphologyEx(
            (deviation(image, bg) > limit).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2))
        ).astype(bool)
        for image in images
    ]


def put(image: Image, x: int, y: int = 40, car: bool = False) -> npt.NDArray[np.bool_]:
    """Draw a person or a car, striped; returns where."""
    before = np.zeros((SIZE, SIZE), np.uint8)
    if car:
        cv2.rectangle(before, (x, y), (x + 40, y + 20), 1, -1)
    else:
        cv2.ellipse(before, (x, y + 20), (7, 22), 0, 0, 360, 1, -1)
    stripes = np.where(np.arange(SIZE)[:, None, None] // 6 % 2, (200, 30, 20), (235, 40, 225))
    image[before > 0] = np.broadcast_to(stripes, image.shape)[before > 0]
    return before > 0


def test_water_counts_though_a_network_takes_it_for_new(scene: Image) -> None:
    place = np.s_[60:, :]
    images = moments(scene, water(place))
    new = np.mean(network(scene, images), axis=0)
    assert new[70:].mean() > 0.1  # the trap
    made, true = estimate_spread(images, scene, network), spread_of(images, scene)
    assert np.abs(made.astype(int) - true)[..., 1][70:].mean() < 0.15 * true[70:, :, 1].mean()
    without = spread_of(images, scene, [~plane for plane in network(scene, images)])
    assert without[70:, :, 2].mean() < 0.85 * made[70:, :, 2].mean()
    assert np.mean(network(scene, images, made), axis=0)[70:].mean() < 0.1 * new[70:].mean()


def test_people_who_pass_do_not_count(scene: Image) -> None:
    images = moments(scene, None)
    still = spread_of(images, scene)
    rng = np.random.default_rng(3)
    for image in images:
        for x in rng.integers(0, SIZE, 3):
            shape = put(image, int(x))
            image[shape] = rng.choice([0, 255], 3)
    assert spread_of(images, scene)[40:60, :, 2].mean() > 60
    made = estimate_spread(images, scene, network)
    assert np.abs(made.astype(int) - still).max() <= 6


def standing(number: int) -> tuple[int, int] | None:
    return (50, 40)


def half_of_the_time(number: int) -> tuple[int, int] | None:
    return (50, 40) if number < COUNT // 2 else None


def swaying(number: int) -> tuple[int, int] | None:
    return (50 + round(3 * np.sin(1.7 * number)), 40 + round(np.cos(2.3 * number)))


def coming_and_going(number: int) -> tuple[int, int] | None:
    return (50 + round(2 * np.sin(1.7 * number)), 40) if number % 8 < 5 else None


@pytest.mark.parametrize("where", [standing, half_of_the_time, swaying, coming_and_going])
@pytest.mark.parametrize("car", [False, True], ids=["person", "car"])
@pytest.mark.parametrize("life", [None, water(np.s_[60:, :])], ids=["calm", "water"])
def test_nobody_vanishes_who_stands_while_the_spread_is_learned(
    where: Callable[[int], tuple[int, int] | None], car: bool, life: Life | None, scene: Image
) -> None:
    images = moments(scene, life)
    shapes = []
    for number, image in enumerate(images):
        if (place := where(number)) is not None:
            shapes.append(put(image, *place, car=car))
    made = estimate_spread(images, scene, network)
    last = moments(scene, life)[0]
    shape = put(last, 50, 40, car=car)
    before = network(scene, [last])[0][shape].mean()
    assert network(scene, [last], made)[0][shape].mean() > before - 0.02


def test_somebody_in_the_colours_of_the_water_stands_in_it(scene: Image) -> None:
    """The moved background explains him, but he looks the same in every image."""
    images = moments(scene, water(np.s_[60:, :]))
    coat = np.roll(scene, (4, 4), (0, 1))
    shape = put(scene.copy(), 50, 75)
    for image in images:
        image[shape] = coat[shape]
    made = estimate_spread(images, scene, network)
    before = network(scene, images[:1])[0][shape].mean()
    assert before > 0.2
    assert network(scene, images[:1], made)[0][shape].mean() > before - 0.05


def test_a_trembling_camera_is_registered_first(scene: Image) -> None:
    rng = np.random.default_rng(2)
    images = []
    for image in moments(scene, None):
        x, y = rng.uniform(-1.5, 1.5, 2)
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        images.append(np.asarray(moved, np.uint8))
    made = estimate_spread(images, scene, network)
    loose = estimate_spread(images, scene, network, stabilize=False)
    assert made[8:-8, 8:-8, 1].mean() < 0.6 * loose[8:-8, 8:-8, 1].mean()


def test_automatic_exposure_does_not_count(scene: Image) -> None:
    """A third of the images is darker by a fifth."""
    images = moments(scene, None)
    still = spread_of(images, scene)
    for number in range(0, COUNT, 3):
        images[number] = (images[number] * 0.8).astype(np.uint8)
    assert spread_of(images, scene)[..., 1].mean() > 15

    def unmoved_by_light(
        bg: Image, frames: Sequence[Image], spread: Image | None = None, /
    ) -> Masks:
        return [np.zeros(frame.shape[:2], np.bool_) for frame in frames]

    made = estimate_spread(images, scene, unmoved_by_light)
    assert np.abs(made.astype(int) - still).max() <= 6


def test_too_few_images_leave_it_unknown(scene: Image) -> None:
    assert not estimate_spread(moments(scene, water(np.s_[:, :]), 4), scene, network).any()
