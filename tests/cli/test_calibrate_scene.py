"""`edge calibrate-scene`, on a rendered scene whose floor is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge.calibrate.rendering.scene import RenderedScene
from edge.cli.app import app
from edge.errors import EdgeError, Untrustworthy
from edge.things.metres import read_metres

SIZE = (240, 320)


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("openvino", "fp32")


@pytest.fixture
def bg(tmp_path: Path) -> Path:
    path = tmp_path / "bg.png"
    cv2.imwrite(str(path), RenderedScene("yard", 1, SIZE).background().image)
    return path


def points() -> list[str]:
    """Three floor points of the scene as words of the command line."""
    scene = RenderedScene("yard", 1, SIZE)
    places = scene._empty.points.reshape(2 * SIZE[0], 2 * SIZE[1], 3)[::2, ::2]
    distance = np.hypot(*(places - scene._layout.camera.position)[..., [0, 2]].transpose(2, 0, 1))
    rows, columns = np.nonzero((np.abs(places[..., 1]) < 0.01) & (distance < 12))
    order = np.argsort(distance[rows, columns])
    words = []
    for share in (0.1, 0.5, 0.9):
        index = order[round(share * (len(order) - 1))]
        row, column = int(rows[index]), int(columns[index])
        words += ["--point", f"{column},{row},{distance[row, column]:.2f}"]
    return words


def run(*words: object) -> tuple[BaseException | None, str]:
    done = CliRunner().invoke(app, ["calibrate-scene", *map(str, words)])
    return done.exception, done.output


def test_points_become_metres(tmp_path: Path, build: Path, bg: Path) -> None:
    out = tmp_path / "new" / "scene.json"
    words = [bg, "--build", build, *points(), "--out", out, "--fov", "80", "--json"]
    command = [sys.executable, "-m", "edge", "calibrate-scene", *map(str, words)]
    env = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    metres = read_metres(out)
    told = json.loads(done.stdout)
    assert told["height"] == metres.height
    assert metres.size == SIZE
    assert metres.error is not None
    manifest = json.loads((build / "manifest.json").read_text())
    metres.check(SIZE, manifest["model"]["sha256"])
    for word in points()[1::2]:
        x, y, known = map(float, word.split(","))
        assert metres.distance((x, y), None) == pytest.approx(known, rel=0.1)


def test_two_points_say_that_nothing_checks_them(tmp_path: Path, build: Path, bg: Path) -> None:
    out = tmp_path / "scene.json"
    error, told = run(bg, "--build", build, *points()[:2], *points()[4:], "--out", out)
    assert error is None
    assert "a third point" in told
    assert "m above the floor" in told
    assert read_metres(out).error is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--point", "10,200,2"], "1 --point, expected two or more, or a --height"),
        (["--point", "10,200", "--point", "1,2,3"], "--point 10,200: expected X,Y,METRES"),
        (["--point", "10,200,x", "--point", "1,2,3"], "expected X,Y,METRES"),
        (["--point", "10,200,nan", "--point", "1,2,3"], "expected X,Y,METRES"),
        (["--point", "10,200,0", "--point", "1,2,3"], "0 metres, expected more than 0"),
        (["--point", "10,240,2", "--point", "1,2,3"], "10,240 is outside the frame of 320x240"),
        (["--height", "10,100,200,1.8"], "expected the head above"),
        (["--height", "10,200,100"], "expected X,Y_FOOT,Y_HEAD,METRES"),
        (["--point", "10,230,9", "--point", "10,100,2"], "no camera over a flat floor"),
        (["--seconds", "3", "--height", "10,200,100,2"], "--seconds has no effect with the image"),
        (["--out", "scene.txt", "--height", "10,200,100,2"], "expected a name that ends in .json"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], told: str, tmp_path: Path, build: Path, bg: Path
) -> None:
    out = [] if "--out" in words else ["--out", tmp_path / "scene.json"]
    error, _ = run(bg, "--build", build, *out, *words)
    assert isinstance(error, EdgeError)
    assert told in str(error)
    assert not (tmp_path / "scene.json").exists()


def test_points_that_do_not_check_are_not_trusted(tmp_path: Path, build: Path, bg: Path) -> None:
    wrong = points()
    for index, factor in ((1, 0.6), (3, 1.7)):
        x, y, metres = wrong[index].split(",")
        wrong[index] = f"{x},{y},{float(metres) * factor}"
    error, _ = run(bg, "--build", build, *wrong, "--out", tmp_path / "scene.json")
    assert isinstance(error, (Untrustworthy, EdgeError))
    assert not (tmp_path / "scene.json").exists()


def test_the_background_of_a_source_is_made_first(tmp_path: Path, build: Path) -> None:
    out = tmp_path / "scene.json"
    words = ["synthetic://yard?seed=1", "--seconds", "2", "--build", build, *points()]
    error, _ = run(*words, "--out", out)
    assert error is None
    assert read_metres(out).size == SIZE
