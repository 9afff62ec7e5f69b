"""What a camera does to its background, on rendered scenes with people in them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edge.calibrate.rendering.scene import RenderedScene
from edge.samples.sample import Image
from edge.scene.check import HOLD_S, SceneCheck, _fit

RNG = np.random.default_rng(0)


def shifted(dx: int, dy: int) -> Callable[[Image], Image]:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return lambda image: np.asarray(
        cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def grey(image: Image) -> np.ndarray:
    plane = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(plane, cv2.COLOR_GRAY2BGR), np.float32)


def grainy(image: np.ndarray, sigma: float = 4) -> Image:
    return np.clip(image + RNG.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


CASES: dict[str, tuple[Callable[[Image], Image], str]] = {
    "as it was": (lambda image: image, "ok"),
    "noise": (lambda image: grainy(image, 8), "ok"),
    "40 % darker": (lambda image: (0.6 * image).astype(np.uint8), "ok"),
    "40 % brighter": (lambda image: np.clip(1.4 * image, 0, 255).astype(np.uint8), "ok"),
    "3 pixels": (shifted(3, -2), "ok"),
    "8 pixels": (shifted(8, 0), "camera_moved"),
    "20 and 6 pixels": (shifted(20, 6), "camera_moved"),
    "upside down": (lambda image: image[::-1].copy(), "scene_changed"),
    "infrared": (lambda image: grainy(255 - 0.8 * grey(image)), "scene_changed"),
    "covered": (lambda image: grainy(np.full(image.shape, 30.0)), "covered"),
    "defocused": (lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 4)), "defocused"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["room", "corridor", "yard"])
def test_the_state_of_a_frame(kind: str, case: str) -> None:
    change, expected = CASES[case]
    right = total = 0
    for seed in range(3):
        scene = RenderedScene(kind, seed, (240, 320))
        check = SceneCheck(scene.background().image)
        for t in (1.0, 5.0, 9.0):
            state = check.look_at(change(scene.frame(t).image))
            right += state.kind == expected
            total += 1
    assert right >= total - 2


@pytest.mark.parametrize("kind", ["room", "corridor", "yard"])
@pytest.mark.parametrize("level", [20, 230])
def test_a_lorry_that_parks_in_front_leaves_the_scene_as_it_is(kind: str, level: int) -> None:
    scene = RenderedScene(kind, 1, (240, 320))
    image = scene.frame(3.0).image.copy()
    image[100:220, 100:160] = level
    assert SceneCheck(scene.background().image).look_at(image).kind == "ok"


def test_another_scene_is_another_scene() -> None:
    check = SceneCheck(RenderedScene("room", 1, (240, 320)).background().image)
    other = RenderedScene("yard", 1, (240, 320)).background().image
    assert check.look_at(other).kind == "scene_changed"


def test_the_offset_is_that_of_the_camera() -> None:
    bg = RenderedScene("room", 1, (240, 320)).background().image
    offset = SceneCheck(bg).look_at(shifted(20, -12)(bg)).offset
    assert offset == (pytest.approx(20, abs=2), pytest.approx(-12, abs=2))


def test_a_state_is_reported_once_when_it_lasts() -> None:
    bg = RenderedScene("room", 1, (240, 320)).background().image
    moved = shifted(30, 0)(bg)
    check = SceneCheck(bg)
    reports = []
    for number in range(60):
        at = number / 5
        image = moved if 2 <= at < 6 or number == 3 else bg
        if state := check.update(image, at):
            reports.append((at, state.kind))
    assert [kind for _, kind in reports] == ["camera_moved", "ok"]
    assert reports[0][0] == pytest.approx(2 + HOLD_S, abs=0.25)
    assert reports[1][0] == pytest.approx(6 + HOLD_S, abs=0.25)


def test_a_check_leaves_no_trace_in_the_next() -> None:
    """OpenCV's phase correlation changes its inputs."""
    bg = RenderedScene("room", 1, (240, 320)).background().image
    check = SceneCheck(bg)
    check.look_at(shifted(40, 10)(bg))
    assert check.look_at(bg).kind == "ok"


def test_tiny_and_flat_images_are_looked_at() -> None:
    for shape in ((1, 1, 3), (4, 300, 3)):
        flat = np.full(shape, 90, np.uint8)
        assert SceneCheck(flat).look_at(flat).kind in ("ok", "covered", "scene_changed")


def test_the_fit_of_a_tile_is_pearsons_correlation() -> None:
    rng = np.random.default_rng(1)
    bg = np.float32(255) * rng.random((24, 24), np.float32)
    plane = bg + np.float32(90) * rng.random((24, 24), np.float32)
    expected = np.corrcoef(plane.ravel(), bg.ravel())[0, 1]
    assert _fit(plane, bg) == pytest.approx(expected, abs=1e-6)
    assert _fit(bg, bg) == pytest.approx(1)
    assert _fit(plane, np.full_like(bg, 7.3)) == 0
