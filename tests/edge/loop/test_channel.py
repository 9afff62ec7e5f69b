"""The video of a source, and the summary."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.loop import channel as module
from edge.loop.channel import Channel, summary


def source(**attributes: object) -> SimpleNamespace:
    camera = {"live": True, "fps": 10.0, "name": "cam", "dropped": 0, "unreadable": 0}
    return SimpleNamespace(camera=SimpleNamespace(**(camera | attributes)))


def count_frames(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        count += 1
    return count


def test_a_gap_of_a_live_source_is_left_out_of_its_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute without a frame: two seconds of it are shown, and then time goes on."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    channel = Channel(source(), tmp_path / "a.avi")  # type: ignore[arg-type]
    image = np.zeros((48, 64, 3), np.uint8)
    for number in range(20):
        now[0] = number / 10 + (60 if number >= 10 else 0)
        channel.write(image)
    channel.close()
    assert 30 <= count_frames(tmp_path / "a.avi") <= 41


def test_the_summary_counts_frames_and_estimates_cameras() -> None:
    channel = Channel(source(dropped=3, unreadable=2))  # type: ignore[arg-type]
    assert summary([channel]) == ["cam: 0 frames, 2 unreadable"]
    channel.frames = 40
    channel.busy_ms.extend([5.0] * 40)
    channel.latency_ms.extend([7.0] * 40)
    counts, cameras = summary([channel])
    assert counts == "cam: 40 frames, 7.0 ms from frame to mask, 3 dropped, 2 unreadable"
    assert cameras.startswith("this machine takes about 20 such cameras (5.0 ms a frame")
    assert summary([Channel(source())]) == []  # type: ignore[arg-type]
