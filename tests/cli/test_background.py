"""`edge background` as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

ENV = {**os.environ, "NO_COLOR": "1"}


def edge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENV, check=False)


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("openvino", "fp32")


@pytest.mark.parametrize("out", ["bg.png", "BG.PNG", "new/12:30.jpg"])
def test_a_background_is_made_from_a_folder(out: str, tmp_path: Path, build: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(12):
        image = np.full((48, 64, 3), 90, np.uint8)
        image[:, 5 * number : 5 * number + 5] = 250
        cv2.imwrite(str(tmp_path / "frames" / f"{number:02d}.png"), image)
    (tmp_path / "frames" / "05a.png").write_bytes(b"half an image")
    done = edge("background", "frames", "--out", out, "--build", build, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert (np.abs(cv2.imread(str(tmp_path / out)).astype(int) - 90) <= 2).all()
    assert "05a.png" in done.stderr
    beside = (tmp_path / out).with_name(f"{Path(out).stem}.confidence.png")
    confidence = cv2.imread(str(beside), cv2.IMREAD_GRAYSCALE)
    assert confidence[:, 10].mean() == pytest.approx(255 * 11 / 12, abs=2)
    spread = cv2.imread(str(beside.with_name(f"{Path(out).stem}.spread.png")))
    assert spread.shape == (48, 64, 3)
    assert spread[..., 1].max() <= 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["frames", "--out", "bg.gif"], 2, "expected a name that ends in .png or .jpg"),
        (["frames", "--seconds", "inf"], 2, "--seconds"),
        (["nowhere.mp4"], 1, "no file or folder nowhere.mp4"),
        (["0"], 2, "0: no such file; a camera of this machine is v4l2://0"),
        (["/dev/null"], 1, "/dev/null is neither a file nor a folder"),
        (["torn.png"], 1, "no frame of torn.png could be read"),
        (["rtsp://ann:p/w@cam/live"], 2, "write %2F for /"),
        (["loop"], 1, "no file or folder loop"),
        (["torn.png", "--out", "loop/bg.png"], 1, "no frame of torn.png could be read"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], code: int, told: str, tmp_path: Path, build: Path
) -> None:
    (tmp_path / "torn.png").write_bytes(b"half an image")
    (tmp_path / "loop").symlink_to("loop")
    done = edge("background", *words, "--build", build, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("bg*"))
    assert "torn.png" in words or "making a background" not in done.stderr


@pytest.mark.parametrize("out", ["frames/bg.png", "frames/0.png"])
def test_the_source_is_not_written_into(out: str, tmp_path: Path, build: Path) -> None:
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames/0.png"), np.zeros((8, 8, 3), np.uint8))
    before = (tmp_path / "frames/0.png").read_bytes()
    done = edge("background", "frames", "--out", out, "--build", build, cwd=tmp_path)
    assert done.returncode == 2
    assert f"--out {out} is in the source" in done.stderr
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["0.png"]
    assert (tmp_path / "frames/0.png").read_bytes() == before


def test_few_images_are_told(tmp_path: Path, build: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.jpg"), np.full((48, 64, 3), 90, np.uint8))
    done = edge("background", "one.jpg", "--build", build, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one.jpg has 1 images, expected 9 or more" in done.stderr


def flickering(folder: Path) -> None:
    """Twenty images of a grey wall, whose left half is lit by a fire."""
    folder.mkdir()
    for number in range(20):
        image = np.full((48, 64, 3), 90, np.uint8)
        image[:, :32] += np.uint8(8 * (number % 5))
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)


def test_the_spread_is_written_and_read_beside_the_background(tmp_path: Path, build: Path) -> None:
    flickering(tmp_path / "fire")
    done = edge("background", "fire", "--build", build, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of the scene moves" in done.stderr
    spread = cv2.imread(str(tmp_path / "bg.spread.png"))
    assert spread[:, 2:28, 1].mean() > 5  # of 0, 8 and 16 levels from the median
    assert not spread[:, 36:].any()
    ran = edge("run", "fire", "--bg", "bg.png", "--build", build, "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "bg.spread.png beside it says how the scene moves" in ran.stderr
    (tmp_path / "bg.spread.png").unlink()
    without = edge("run", "fire", "--bg", "bg.png", "--build", build, "--json", cwd=tmp_path)
    assert "bg.spread.png" not in without.stderr


@pytest.mark.parametrize("content", ["torn", "small"])
def test_a_spread_of_something_else_is_refused(content: str, tmp_path: Path, build: Path) -> None:
    flickering(tmp_path / "fire")
    cv2.imwrite(str(tmp_path / "bg.png"), np.full((48, 64, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "bg.spread.png"), np.zeros((24, 32, 3), np.uint8))
    if content == "torn":
        (tmp_path / "bg.spread.png").write_bytes(b"half an image")
    done = edge("run", "fire", "--bg", "bg.png", "--build", build, cwd=tmp_path)
    assert done.returncode == 2
    assert "bg.spread.png is not the spread of bg.png; remove it" in done.stderr
