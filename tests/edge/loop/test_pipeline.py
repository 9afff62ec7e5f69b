from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.errors import EdgeError, UsageError
from edge.loop.pipeline import CameraPipeline
from edge.samples.sample import Image


@pytest.fixture(scope="module")
def bg() -> Image:
    return RenderedScene("yard", 2, (240, 320)).background().image


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


def test_the_foreground_follows_the_truth(source: Camera, h: edge.Handle, bg: Image) -> None:
    pipeline = CameraPipeline(source, h, bg)
    shares, true = [], []
    for _ in range(60):
        frame = next_of(source)
        assert frame.truth is not None
        result = pipeline.process(frame)
        shares.append(result.foreground)
        true.append(frame.truth.mean())
        assert result.latency_ms >= result.busy_ms > 0
        assert all(blob.area <= 1 for blob in result.blobs)
    assert np.corrcoef(shares, true)[0, 1] > 0.7  # at 64x64 people are a few pixels


def test_a_trembling_camera_is_stabilized(source: Camera, h: edge.Handle, bg: Image) -> None:
    pipeline = CameraPipeline(source, h, bg)
    for number in range(20):
        frame = next_of(source)
        pipeline.process(replace(frame, image=np.roll(frame.image, (4, -4), (0, 1))))
        assert pipeline.stabilizer is not None
        assert pipeline.stabilizer.offset == pytest.approx((-0.8, 16 / 15), abs=0.3), number
    assert CameraPipeline(source, h, bg, stabilize=False).stabilizer is None


def test_a_frame_of_another_size_than_the_background_is_refused(
    source: Camera, h: edge.Handle
) -> None:
    pipeline = CameraPipeline(source, h, np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(EdgeError, match="gives 320x240, its background is 640x480; make one"):
        pipeline.process(next_of(source))


@pytest.mark.parametrize(
    "wrong",
    [None, np.zeros((240, 320), np.uint8), np.zeros((0, 320, 3), np.uint8)]
    + [np.zeros((240, 320, 3), dtype) for dtype in (np.float32, np.uint16)],
    ids=["None", "grey", "empty", "float", "16 bits"],
)
def test_another_kind_of_image_is_refused(
    source: Camera, h: edge.Handle, bg: Image, wrong: Image
) -> None:
    with pytest.raises(UsageError, match=r"bg is .*expected uint8 \[height, width, 3\]"):
        CameraPipeline(source, h, wrong)
    pipeline = CameraPipeline(source, h, bg)
    with pytest.raises(UsageError, match=r"frame is .*expected uint8 \[height, width, 3\]"):
        pipeline.process(replace(next_of(source), image=wrong))
