from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.samples.depth_maps import DepthMeaning, read_meaning
from edge.samples.sample import SampleError

METRES = np.linspace(0.5, 8, 64, dtype=np.float32).reshape(8, 8)


def meaning(tmp_path: Path, recipe: dict[str, Any]) -> DepthMeaning:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    return read_meaning(path, tmp_path / "depth_maps")


@pytest.mark.parametrize(
    ("recipe", "factor"),
    [
        ({"depth": "millimetres", "invalid": 0}, 1000),
        ({"depth": "millimetres"}, 1000),
        ({"depth": "centimetres"}, 100),
        ({"depth": 5000}, 5000),
    ],
)
def test_distances_become_inverse_metres_and_no_reading_is_unknown(
    recipe: dict[str, Any], factor: float, tmp_path: Path
) -> None:
    stored = (METRES * factor).round().astype(np.uint16)
    stored[0] = 0
    depth = meaning(tmp_path, recipe).decode(stored)
    assert depth.dtype == np.float32
    assert np.isnan(depth[0]).all()
    np.testing.assert_allclose(depth[1:], 1 / METRES[1:], rtol=0.01)


def test_another_value_may_mean_no_reading(tmp_path: Path) -> None:
    stored = (METRES * 1000).astype(np.uint16)
    stored[0], stored[1] = 65535, 0
    depth = meaning(tmp_path, {"depth": "millimetres", "invalid": 65535}).decode(stored)
    assert np.isnan(depth[:2]).all() and np.isfinite(depth[2:]).all()
    relative = meaning(tmp_path, {"near": "bright", "invalid": 0})
    grey = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(relative.decode(grey), [[np.nan, 0.2, 1]], rtol=1e-6)


@pytest.mark.parametrize("near", ["bright", "dark"])
def test_relative_maps_of_eight_and_sixteen_bits(near: str, tmp_path: Path) -> None:
    eight = np.array([[0, 51, 255]], np.uint8)
    expected = np.array([[0, 0.2, 1]]) if near == "bright" else np.array([[1, 0.8, 0]])
    for stored in (eight, eight.astype(np.uint16) * 257, np.dstack([eight] * 3)):
        depth = meaning(tmp_path, {"near": near}).decode(stored)
        np.testing.assert_allclose(depth, expected, atol=1e-6)


def test_millimetres_are_not_taken_for_bright_and_dark(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r'uint16 with values up to 8000.*"millimetres"'):
        meaning(tmp_path, {"near": "dark"}).decode((METRES * 1000).astype(np.uint16))


@pytest.mark.parametrize("recipe", [{"near": "bright"}, {"depth": "metres"}])
def test_colour_maps_are_refused(recipe: dict[str, Any], tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with pytest.raises(SampleError, match="colour-mapped"):
        meaning(tmp_path, recipe).decode(cv2.applyColorMap(grey, cv2.COLORMAP_JET))


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"depth": "feet"}, "unknown unit of depth 'feet'"),
        ({"depth": "metres", "near": "dark"}, "expected one of them"),
        ({"near": "dark", "invalid": "0"}, "expected a number"),
        ({"near": "Bright"}, "\"near\" is 'Bright', expected"),
        ({"depth": True}, "unknown whether bright or dark is near"),
    ],
)
def test_recipes_that_state_nothing_are_refused(
    recipe: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SampleError, match=words):
        meaning(tmp_path, recipe)
    assert meaning(tmp_path, {"depth": True, "near": "bright"}).near_is_bright  # of compose


@pytest.mark.parametrize(
    ("text", "words"),
    [("{near: dark}", "cannot be read"), ('["near"]', "holds no object"), ("", "cannot be read")],
)
def test_a_recipe_that_is_no_json_is_not_taken_for_none(
    text: str, words: str, tmp_path: Path
) -> None:
    """The hint for a missing recipe would overwrite it."""
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(SampleError, match=rf"recipe\.json {words}"):
        read_meaning(tmp_path / "recipe.json", tmp_path)
    (tmp_path / "recipe.json").write_text('{"near": "dark"}', "utf-8-sig")
    assert read_meaning(tmp_path / "recipe.json", tmp_path).near_is_bright is False


def test_distances_below_zero_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="below zero"):
        meaning(tmp_path, {"depth": "metres"}).decode(np.full((4, 4), -2, np.float32))
