from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from edge.benchmarks.accuracy import tables
from edge.benchmarks.accuracy.depth import (
    CONSTANT,
    mean_of,
    read_people,
    read_scenes,
    score_depths,
)
from edge.samples.depth_teacher import DepthTeacher

SIDE = 32
WALL = np.linspace(2, 6, SIDE) * np.ones((SIDE, 1))
"""Metres."""


class Grey:
    """A teacher that reads the inverse depth off the image, with an error where asked."""

    def __init__(self, error: float = 0) -> None:
        self.error = error

    def __call__(self, image: np.ndarray) -> np.ndarray:
        depth = image.mean(2).astype(np.float32)
        depth[: SIDE // 2] *= 1 + self.error
        return depth

    with_flip = __call__


def write(folder: Path, frames: dict[str, np.ndarray], *, fixed: bool = False) -> None:
    """Frames whose grey level is their inverse depth."""
    for part in ("rgb", "depth", "mask"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for stem, metres in frames.items():
        grey = np.repeat((255 / metres).round().astype(np.uint8)[..., None], 3, axis=2)
        places = [folder / "rgb" / f"{stem}.png", folder / "depth" / f"{stem}.png"]
        if stem == "bg":
            places = [folder / "bg.png", folder / "bg_depth.png"]
        elif fixed:
            cv2.imwrite(str(folder / "mask" / f"{stem}.png"), np.uint8(metres < WALL) * 255)
        for place, image in zip(places, (grey, np.uint16(1000 * metres)), strict=True):
            cv2.imwrite(str(place), image)


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    person = WALL.copy()
    person[8:24, 20:28] = 1.5
    write(tmp_path / "urfd_office", {"bg": WALL, "1": WALL, "2": person}, fixed=True)
    write(tmp_path / "fall_room_a", {"bg": WALL, "1": person}, fixed=True)  # is trained on
    write(tmp_path / "nyuv2", {f"{number:05}": WALL for number in (0, 99, 100, 149, 150)})
    return tmp_path


def test_only_places_that_were_held_out_judge(rgbd: Path) -> None:
    scenes, people = read_scenes(rgbd), read_people(rgbd)
    names = {name: [sample.name for sample in samples] for name, samples in scenes.items()}
    assert names == {"nyuv2": ["nyuv2/00100", "nyuv2/00149"], "urfd_office": ["urfd_office/bg"]}
    assert not any(sample.mask.any() for samples in scenes.values() for sample in samples)
    assert [sample.name for sample in people["urfd_office"]] == ["urfd_office/2"]
    assert list(people) == ["urfd_office"]
    assert read_scenes(rgbd / "nothing") == read_people(rgbd / "nothing") == {}


def test_every_set_stands_beside_the_teacher_and_a_constant(rgbd: Path) -> None:
    right, wrong = (cast(DepthTeacher, Grey(error)) for error in (0, 0.3))
    scenes, people = read_scenes(rgbd), read_people(rgbd)
    by_set = score_depths([], scenes, right)
    assert list(by_set) == ["nyuv2", "urfd_office"]
    for scores in by_set.values():
        assert scores["teacher"]["abs_rel"] < 0.01 and scores["teacher"]["delta1"] == 1
        true = 1 / WALL
        expected = np.abs(true / true.mean() - 1).mean()
        assert scores[CONSTANT]["abs_rel"] == pytest.approx(expected, rel=0.02)
    worse = score_depths([], scenes, wrong)["nyuv2"]["teacher"]["abs_rel"]
    assert worse > 0.05
    near = score_depths([], people, right)["urfd_office"]
    assert near["teacher"]["foreground_abs_rel"] < 0.02 < near[CONSTANT]["foreground_abs_rel"]
    mean = mean_of({"a": {"teacher": {"abs_rel": 0.1}}, "b": {"teacher": {"abs_rel": 0.3}}})
    assert mean["teacher"]["abs_rel"] == pytest.approx(0.2)
    rows = tables.depth_by_set(by_set, foreground=False)
    assert rows[0] == "| AbsRel, delta1 | a constant | teacher | teacher, with flip |"
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| nyuv2", "| urfd_office", "| **mean**"]
    assert "1.000 |" in rows[2]
