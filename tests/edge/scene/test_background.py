"""The background from images in which people walk, stand and leave things behind."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.errors import EdgeError
from edge.samples.sample import Image
from edge.scene.background import certain, estimate_background

SIZE = (120, 160)


@pytest.fixture(scope="module")
def scene() -> Image:
    """Smooth colours with some texture, as of a street."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(60, 200, (9, 12, 3), np.uint8), SIZE[::-1])
    fine = cv2.GaussianBlur(rng.normal(0, 25, (*SIZE, 3)), (0, 0), 1.5)
    return np.clip(coarse + fine, 0, 255).astype(np.uint8)


def noisy(image: Image, seed: int) -> Image:
    grain = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def with_person(image: Image, x: int, colour: tuple[int, int, int] = (40, 30, 220)) -> Image:
    frame = image.copy()
    cv2.ellipse(frame, (x, 75), (12, 35), 0, 0, 360, colour, -1)
    cv2.circle(frame, (x, 32), 9, (120, 150, 200), -1)
    return frame


def wrong(made: Image, true: Image) -> float:
    return float((cv2.absdiff(made, true).max(2) > 20).mean())


def test_people_who_walk_through_leave_no_trace() -> None:
    with Camera("synthetic://yard?seed=2") as source:
        frames = [f for _ in range(300) if isinstance(f := source.take(), Frame)][::5]
    assert max(f.truth.mean() for f in frames if f.truth is not None) > 0.01
    made = estimate_background([f.image for f in frames])
    true = RenderedScene("yard", 2, made.image.shape[:2]).background().image
    assert wrong(made.image, true) < 0.002


@pytest.mark.parametrize("share", [0.25, 0.35, 0.45, 0.6])
@pytest.mark.parametrize("when", ["begin", "middle", "end"])
def test_a_person_who_stands_for_long_is_not_background(
    share: float, when: str, scene: Image
) -> None:
    count = 40
    stay = round(share * count)
    start = {"begin": 0, "middle": (count - stay) // 2, "end": count - stay}[when]
    images = [
        noisy(with_person(scene, 80) if start <= i < start + stay else scene, i)
        for i in range(count)
    ]
    made = estimate_background(images)
    assert wrong(made.image, scene) < 0.002
    stood = cv2.absdiff(with_person(scene, 80), scene).max(2) > 60
    assert abs(made.confidence[stood].mean() / 255 - (1 - share)) < 0.1


def test_a_crowd_that_covers_each_place_most_of_the_time(scene: Image) -> None:
    """A plain median would be the crowd."""
    rng = np.random.default_rng(1)
    images = []
    for number in range(40):
        frame = scene
        for x in rng.integers(0, SIZE[1], 8):
            frame = with_person(frame, int(x), tuple(rng.integers(0, 256, 3).tolist()))
        images.append(noisy(frame, number))
    by_median = wrong(np.median(images, axis=0).astype(np.uint8), scene)
    assert by_median > 0.1
    assert wrong(estimate_background(images).image, scene) < 0.25 * by_median


def test_a_networks_foreground_is_left_out(scene: Image) -> None:
    """Someone who is there in nine of ten images, which no estimate can know without a network."""
    images = [noisy(with_person(scene, 80) if i % 10 else scene, i) for i in range(40)]
    shape = cv2.absdiff(with_person(scene, 80), scene).max(2) > 8

    def masks(bg: Image, given: list[Image]) -> list[npt.NDArray[np.bool_]]:
        return [shape & (i % 10 > 0) for i in range(len(given))]

    made = estimate_background(images, masks)  # type: ignore[arg-type]
    assert wrong(made.image, scene) < 0.002
    assert made.unsure[shape].mean() > 0.8
    assert not made.unsure[~shape].any()


def test_a_trembling_camera_gives_a_sharp_background(scene: Image) -> None:
    rng = np.random.default_rng(2)
    fine = cv2.GaussianBlur(rng.normal(0, 90, scene.shape), (0, 0), 0.8)
    scene = np.clip(scene + fine, 0, 255).astype(np.uint8)
    images = []
    for number in range(30):
        x, y = rng.uniform(-2, 2, 2)
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = cv2.warpAffine(scene, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
        images.append(noisy(np.asarray(moved, np.uint8), number))

    def sharpness(image: Image) -> float:
        return float(cv2.Laplacian(image[8:-8, 8:-8], cv2.CV_64F).std())

    plain = np.median(images, axis=0).astype(np.uint8)
    made = estimate_background(images).image
    assert sharpness(made) > 1.25 * sharpness(plain)


def test_one_image_is_its_own_background_and_none_is_refused(scene: Image) -> None:
    made = estimate_background([scene])
    assert np.array_equal(made.image, scene)
    assert (made.confidence == 255).all()
    with pytest.raises(EdgeError, match="no image"):
        estimate_background([])


def test_images_of_several_sizes_are_refused() -> None:
    with pytest.raises(EdgeError, match=r"several sizes \(8x6, 9x6\), expected one"):
        estimate_background([np.zeros((6, width, 3), np.uint8) for width in (8, 9)])


@pytest.mark.parametrize("size", [(3, 4), (1, 1), (5, 300), (16, 16), (17, 40)])
def test_tiny_images_have_a_background(size: tuple[int, int]) -> None:
    images = [np.full((*size, 3), level, np.uint8) for level in (7, 7, 7, 200)]
    assert (estimate_background(images).image == 7).all()


def test_a_given_background_is_sure(scene: Image) -> None:
    assert not certain(scene).unsure.any()
