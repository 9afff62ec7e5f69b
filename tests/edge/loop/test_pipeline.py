from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera, Frame
from edge.errors import EdgeError
from edge.loop.pipeline import View
from edge.samples.sample import Image


@pytest.fixture(scope="module")
def bg() -> Image:
    return RenderedScene("yard", 2, (240, 320)).background().picture


@pytest.fixture
def source() -> Iterator[Camera]:
    with Camera("synthetic://yard?seed=2") as opened:
        yield opened


@pytest.fixture
def h(builds: Callable[[str, str], Path]) -> Iterator[edge.Handle]:
    with edge.open(builds("openvino", "fp32"), 1) as opened:
        yield opened


def next_of(source: Camera) -> Frame:
    frame = source.take()
    assert isinstance(frame, Frame)
    return frame


def test_a_view_sees_what_is_new(source: Camera, h: edge.Handle, bg: Image) -> None:
    """Its share of foreground follows the truth of the rendered scene."""
    view = View(source, h, bg)
    found, true = [], []
    for _ in range(60):
        frame = next_of(source)
        assert frame.truth is not None
        seen = view.look(frame)
        found.append(seen.foreground)
        true.append(frame.truth.mean())
        assert seen.latency_ms >= seen.busy_ms > 0
        assert all(thing.area <= 1 for thing in seen.things)
    assert np.corrcoef(found, true)[0, 1] > 0.7  # at 64x64 people are a few pixels


def test_a_view_follows_a_camera_that_trembles(source: Camera, h: edge.Handle, bg: Image) -> None:
    view = View(source, h, bg)
    for number in range(20):
        frame = next_of(source)
        view.look(replace(frame, picture=np.roll(frame.picture, (4, -4), (0, 1))))
        assert view.steady is not None
        assert view.steady.moved == pytest.approx((-0.8, 16 / 15), abs=0.3), number
    assert View(source, h, bg, steady=False).steady is None


def test_a_frame_of_another_size_than_the_background_is_refused(
    source: Camera, h: edge.Handle
) -> None:
    view = View(source, h, np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(EdgeError, match="gives 320x240, its background is 640x480; make one"):
        view.look(next_of(source))
