"""`make backgrounds` on a sequence that the test writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.benchmarks.backgrounds import main
from edge.calibrate.rendering.scene import RenderedScene


def write_sequence(folder: Path) -> None:
    """A yard with sensor noise, whose left part is lit by a lamp that flickers."""
    scene, rng = RenderedScene("yard", 2, (120, 160)), np.random.default_rng(0)
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "bg.png"), scene.background().image)
    for number in range(20):
        view = scene.frame(number * 0.7)
        image = view.image + rng.normal(0, 3, view.image.shape)
        image[:, :40] += 6 * (number % 5) - 12
        image = np.clip(image, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"input/{number:03d}.png"), image)
        mask = np.asarray(view.mask > 0, np.uint8) * 255
        cv2.imwrite(str(folder / f"groundtruth/{number:03d}.png"), mask)


def test_the_table_and_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sequence(tmp_path / "data/sequences/yard")
    assert main([str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    row, lives = (line for line in capsys.readouterr().out.splitlines() if "| yard |" in line)
    off, labelled, given, automatic = (float(c.split()[0]) for c in row.split("|")[2:6])
    assert off < 1 and labelled < 1
    assert given > 0.5
    assert automatic == pytest.approx(given, abs=0.1)
    off, correlation, *f = (float(cell) for cell in lives.split("|")[2:8])
    assert off < 0.02 and correlation > 0.7
    assert f[0] == pytest.approx(given, abs=1e-3)
    assert cv2.imread(str(tmp_path / "out/yard.jpg")).shape == (120, 640, 3)


def test_a_folder_without_sequences_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) != 0
    assert "sequences" in capsys.readouterr().err
