"""`edge bench --gate-drop` on samples that cannot show a loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli.app import app
from edge.errors import AccuracyGateMissed, EdgeError

SIDE = 64


def write(folder: Path, label: np.ndarray) -> Path:
    """A labelled sequence of three frames with a box, all with the same label file."""
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    cv2.imwrite(str(folder / "bg.png"), image)
    image[20:50, 20:40] = 220
    for number in range(3):
        cv2.imwrite(str(folder / "input" / f"{number}.png"), image)
        cv2.imwrite(str(folder / "groundtruth" / f"{number}.png"), label)
    return folder


def bench(build: Path, samples: Path, out: Path, *more: str) -> None:
    words = ["--samples", samples, "--gate-drop", "1", "--iterations", "11", "--duration", "0.01"]
    words += ["--warmup", "0", "--out", out, *more]
    app(["bench", str(build), *map(str, words)], standalone_mode=False)


@pytest.fixture
def build(builds: Callable[[str, str], Path]) -> Path:
    return builds("onnxruntime", "int8")


@pytest.mark.slow
def test_a_gate_over_no_foreground_is_missed_and_each_other_is_said(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = write(tmp_path / "empty", np.zeros((SIDE, SIDE), np.uint8))
    with pytest.raises(AccuracyGateMissed, match=r"the samples .*empty have no foreground"):
        bench(build, samples, tmp_path / "out", "--gate-fps", "1e9")
    assert "fps, asked are 1e+09" in capsys.readouterr().err


def test_masks_of_unknown_meaning_are_refused(build: Path, tmp_path: Path) -> None:
    label = np.zeros((SIDE, SIDE), np.uint8)
    label[20:50, 20:40] = 7
    with pytest.raises(EdgeError, match=r"unknown which values of the masks are foreground.*: 0 7"):
        bench(build, write(tmp_path / "objects", label), tmp_path / "out")


@pytest.mark.slow
def test_masks_of_0_and_1_are_scored(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = np.zeros((SIDE, SIDE), np.uint8)
    label[20:50, 20:40] = 1
    bench(build, write(tmp_path / "ones", label), tmp_path / "out")
    assert "mask IoU" in capsys.readouterr().out
