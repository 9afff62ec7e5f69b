"""`edge dataset stats`, and the key of ranges, count what was really read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.pipeline import BuildRequest, load_network, record
from edge.cli.app import app
from edge.errors import EdgeError


def write(folder: Path, codes: tuple[int, ...]) -> Path:
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    image = np.full((64, 64, 3), 90, np.uint8)
    cv2.imwrite(str(folder / "bg.png"), image)
    for number, code in enumerate(codes):
        cv2.imwrite(str(folder / "input" / f"{number}.jpg"), image)
        labels = np.zeros((64, 64), np.uint8)
        labels[20:40, 20:40] = code
        labels[:] = code if code == 170 else labels
        cv2.imwrite(str(folder / "groundtruth" / f"{number}.png"), labels)
    return folder


def stats(folder: Path) -> None:
    app(["dataset", "stats", str(folder), "--json"], standalone_mode=False)


def test_stats_count_what_was_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "a", (255, 255, 255, 255))
    (folder / "groundtruth" / "1.png").unlink()
    path = folder / "input" / "2.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    stats(folder)
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["samples"], result["skipped"]) == (2, 2)
    assert result["sets"]["mask"]["mean"] == [pytest.approx(400 / 4096, abs=1e-4)]
    assert "skipped a/1.jpg: it has no label" in output.err
    assert "skipped a/2: cannot read an image" in output.err


def test_masks_without_foreground_or_labels_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stats(write(tmp_path / "empty", (0, 0)))
    assert "warning: no mask of empty has foreground" in capsys.readouterr().err
    with pytest.raises(EdgeError, match="every pixel of the masks of blind is ignored"):
        stats(write(tmp_path / "blind", (170, 170)))


def test_the_key_of_ranges_counts_what_was_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", (255,) * 6)
    for number in (1, 4):
        (folder / "input" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff")
    request = BuildRequest(network="nano", imgsz=(64, 64), samples=str(folder), calib_samples=6)
    assert record(request, load_network(request)[0]).key.count == 4
