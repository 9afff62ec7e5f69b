"""Kinds of object: one file each, drawn by weight."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge.calibrate.rendering import objects
from edge.calibrate.rendering.objects import draw_object, object_kinds
from edge.calibrate.rendering.scene_object import outline

PATH = np.array([[0, 0, 4], [2, 0, 6]], np.float32)


def test_the_most_frequent_kind_comes_first() -> None:
    assert list(object_kinds()) == ["person", "crate"]


@pytest.mark.parametrize("name", object_kinds())
def test_every_kind_stands_on_the_floor_near_its_path(name: str, rng: np.random.Generator) -> None:
    thing = object_kinds()[name].draw(rng)
    for since in (0.0, 2.5, 9.0):
        points = outline(thing.parts(since, PATH, 1.2))
        assert -0.1 < points[:, 1].min() < 0.1
        assert 0.2 < points[:, 1].max() < 2.3
        assert (points[:, ::2] > PATH[0, ::2] - 1.2).all()
        assert (points[:, ::2] < PATH[1, ::2] + 1.2).all()


def test_people_walk_and_crates_stand(rng: np.random.Generator) -> None:
    for name, moves in (("person", True), ("crate", False)):
        thing = object_kinds()[name].draw(rng)
        places = [outline(thing.parts(since, PATH, 1.0)).mean(0) for since in (0.0, 1.0)]
        assert (np.linalg.norm(places[1] - places[0]) > 0.5) == moves


def test_kinds_are_drawn_by_weight(rng: np.random.Generator) -> None:
    counts = Counter(type(draw_object(rng, first=False)).__name__ for _ in range(2000))
    assert counts["Person"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert {type(draw_object(rng, first=True)).__name__ for _ in range(20)} == {"Person"}


def test_a_new_file_is_a_new_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dog.py").write_text(
        "from edge.calibrate.rendering.objects.crate import draw\n"
        "from edge.calibrate.rendering.scene_object import ObjectKind\n"
        "KIND = ObjectKind(0.1, draw)\n"
    )
    monkeypatch.setattr(objects, "__path__", [*objects.__path__, str(tmp_path)])
    object_kinds.cache_clear()
    try:
        assert list(object_kinds()) == ["person", "crate", "dog"]
    finally:
        object_kinds.cache_clear()
        sys.modules.pop(f"{objects.__name__}.dog", None)


@pytest.mark.parametrize("seed", range(4))
def test_people_have_the_shape_of_people(seed: int) -> None:
    """Seen by who walks with them, at any moment of a step."""
    person = object_kinds()["person"].draw(np.random.default_rng(seed))
    way = PATH[1] - PATH[0]
    ahead = way / np.linalg.norm(way)
    side = np.array([ahead[2], 0, -ahead[0]], np.float32)
    for since in np.linspace(0, 1.25, 6):
        parts = person.parts(float(since), PATH, 1.2)
        place = PATH[0] + ahead * np.float32(1.2 * since)
        every = outline(parts) - place
        assert np.abs(every @ side).max() < 0.65
        assert np.abs(every @ ahead).max() < 0.75
        legs = outline([part for part in parts if part.colour is person.legs])
        assert legs[:, 1].min() < 0.2  # to the ankles
        hair = outline([part for part in parts if part.colour is person.hair])
        assert hair[:, 1].max() == pytest.approx(every[:, 1].max())
        assert every[:, 1].max() == pytest.approx(1.06 * person.height, rel=0.06)
