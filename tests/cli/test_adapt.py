"""`edge adapt` on footage that nobody labelled, with a training of two steps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.cli import adapt
from edge.errors import AccuracyGateMissed, EdgeError, UsageError
from edge.samples.sample import Sample


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps, and few rendered scenes."""
    for name, value in (("STEPS", 2), ("BATCH", 2), ("EVERY", 1), ("RENDERED", "rendered:2")):
        monkeypatch.setattr(adapt, name, value)
    monkeypatch.setattr(adapt, "OBJECTS", (6, 4000))


def clip(folder: Path, count: int) -> Path:
    """Frames of a plain wall with a square that walks."""
    folder.mkdir()
    wall = np.random.default_rng(0).normal(120, 3, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    for number in range(count):
        frame = wall.copy()
        frame[30:70, 8 * number : 8 * number + 16] = (20, 40, 200)
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame)
    return folder


def run(source: Path, out: Path, network: str = "nano") -> None:
    adapt.adapt(str(source), network=network, minutes=15, data=None, out=out)


def test_a_network_that_is_better_on_held_back_composites_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = adapt._train
    monkeypatch.setattr(adapt, "_train", lambda *given: (-1.0, *trained(*given)[1:]))
    out = tmp_path / "out"
    run(clip(tmp_path / "frames", 12), out)
    assert capsys.readouterr().out == f"{out / 'build'}\n"
    site = sorted((out / "site" / "input").iterdir())
    assert len(site) == 12 - 3  # every fifth frame is held back
    labels = cv2.imread(str(out / "site" / "groundtruth" / site[3].name), cv2.IMREAD_GRAYSCALE)
    assert {0, 255} <= set(np.unique(labels))
    with edge.open(out / "build") as h:
        assert (h.manifest.precision, h.manifest.name[:4]) == ("int8", "nano")
    with pytest.raises(EdgeError, match="holds an adapted network already"):
        run(tmp_path / "frames", out)


def test_a_network_that_is_no_better_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = np.full((32, 32, 3), 90, np.uint8)
    scene = [Sample(f"site/{i}", grey, grey, np.zeros((32, 32), np.uint8)) for i in range(10)]
    monkeypatch.setattr(adapt, "_label", lambda *given: scene)
    monkeypatch.setattr(adapt, "_train", lambda *given: (0.9, 0.9, tmp_path / "best.pt"))
    with pytest.raises(AccuracyGateMissed, match="no better"):
        run(clip(tmp_path / "frames", 1), tmp_path / "out")
    assert not (tmp_path / "out" / "build").exists()


def test_too_little_footage_and_unknown_networks_are_refused(tmp_path: Path) -> None:
    frames = clip(tmp_path / "frames", 4)
    with pytest.raises(EdgeError, match="gave 4 frames, expected 9 or more"):
        run(frames, tmp_path / "out")
    with pytest.raises(UsageError, match="no bundled network 'huge'"):
        run(frames, tmp_path / "out", network="huge")
