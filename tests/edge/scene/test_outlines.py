"""Which of two backgrounds is empty, and which foreground is a ghost."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.samples.sample import Image
from edge.scene.outlines import Estimate, emptier, ghosts

SIZE = (90, 120)
PERSON = np.zeros(SIZE, np.bool_)
PERSON[25:75, 50:68] = True


@pytest.fixture
def scene() -> Image:
    rng = np.random.default_rng(3)
    coarse = cv2.resize(rng.integers(60, 200, (7, 9, 3), np.uint8), SIZE[::-1])
    fine = cv2.GaussianBlur(rng.normal(0, 25, (*SIZE, 3)), (0, 0), 1.5)
    return np.clip(coarse + fine, 0, 255).astype(np.uint8)


def with_person(scene: Image) -> Image:
    image = scene.copy()
    image[PERSON] = (30, 20, 230)
    return image


def shares(scene: Image, stood: int, count: int = 30) -> tuple[Image, Estimate, Estimate]:
    """Images in which somebody stood so often, and the estimates with and without that person."""
    rng = np.random.default_rng(4)
    clean = [with_person(scene) if i < stood else scene for i in range(count)]
    images = np.stack([np.clip(i + rng.normal(0, 2, i.shape), 0, 255) for i in clean])
    there = np.zeros(images.shape[:3], np.bool_)
    there[:stood] = True
    stack = images.astype(np.uint8)
    return stack, Estimate.of(stack, there), Estimate.of(stack, ~there)


@pytest.mark.parametrize("stood", [10, 15, 20, 25])
def test_the_empty_scene_replaces_a_person_and_is_not_replaced(scene: Image, stood: int) -> None:
    stack, person, empty = shares(scene, stood)
    for current, other in ((person, empty), (empty, person)):
        chosen = emptier(stack, current, other, 1.2)
        assert (cv2.absdiff(chosen.image, scene).max(2) > 20).mean() < 0.002
        assert not chosen.shown[:stood, PERSON].any()


def test_a_mixture_of_people_who_walk_by_is_replaced(scene: Image) -> None:
    """It has hardly an outline, but no image looks like it."""
    rng = np.random.default_rng(5)
    stack = np.stack([scene] * 30)
    for image in stack[:20]:
        image[PERSON] = rng.integers(0, 90, 3)
    everything = Estimate.of(stack, np.ones(stack.shape[:3], np.bool_))
    assert (cv2.absdiff(everything.image, scene).max(2) > 20)[PERSON].mean() > 0.5
    seen = np.zeros(stack.shape[:3], np.bool_)
    seen[20:] = True
    chosen = emptier(stack, everything, Estimate.of(stack, seen), 1.2)
    assert np.array_equal(chosen.image, scene)


def test_leaves_keep_their_median(scene: Image) -> None:
    """The median of a few images of a texture that moves is no better than that of all."""
    rng = np.random.default_rng(6)
    stack = np.stack([scene] * 40)
    for image in stack:
        leaves = cv2.GaussianBlur(rng.normal(0, 130, (50, 60)), (0, 0), 1.2)[..., None]
        image[20:70, 30:90] = np.clip(image[20:70, 30:90] + leaves, 0, 255)
    everything = Estimate.of(stack, np.ones(stack.shape[:3], np.bool_))
    few = np.zeros(stack.shape[:3], np.bool_)
    few[:5] = True
    chosen = emptier(stack, everything, Estimate.of(stack, few), 1.2)
    off = [(cv2.absdiff(e.image, scene).max(2) > 20).mean() for e in (everything, chosen)]
    assert off[1] < off[0] + 0.01


def test_a_ghost_is_what_only_the_background_shows(scene: Image) -> None:
    foreground: npt.NDArray[np.bool_] = cv2.dilate(PERSON.view(np.uint8), np.ones((5, 5))) > 0
    gone = ghosts(with_person(scene), scene, foreground)
    assert (gone == PERSON).mean() > 0.99
    assert not ghosts(scene, with_person(scene), foreground).any()
    assert not ghosts(scene, scene, foreground).any()
    assert not ghosts(with_person(scene), scene, ~foreground).any()


def test_areas_at_the_border_of_the_image(scene: Image) -> None:
    everywhere = np.ones(SIZE, np.bool_)
    cut = scene.copy()
    cut[60:, 100:] = (10, 240, 10)
    assert ghosts(cut, scene, everywhere)[62:, 102:].mean() > 0.9
    assert not ghosts(scene, cut, everywhere).any()
    assert not ghosts(np.full_like(scene, 9), np.full_like(scene, 200), everywhere).any()
