"""FP32 beside INT8: what drift is, and that no frame waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edge
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera
from edge.camera.source import CameraEvent, Frame
from edge.errors import EdgeError
from edge.image import translate
from edge.loop.pipeline import CameraPipeline
from edge.runtime.handle import Outputs
from edge.samples.sample import Image, Sample
from edge.scene.background import Background, certain
from edge.watch.float_process import open_float
from edge.watch.shadow import FRAMES, Exact, Shadow


@pytest.fixture
def exact(builds: Callable[[str, str], Path]) -> Iterator[edge.Handle]:
    with open_float(builds("onnxruntime", "int8")) as h:
        yield h


@pytest.fixture
def sample(samples: list[Sample]) -> Sample:
    """The sample with the most foreground."""
    return max(samples, key=lambda each: each.mask.sum())


def pipeline_of(sample: Sample, **more: Any) -> Any:
    camera = SimpleNamespace(name="door")
    return SimpleNamespace(
        camera=camera, background=certain(sample.bg), **{"stabilizer": None, **more}
    )


@pytest.fixture
def shadow(exact: edge.Handle, sample: Sample) -> Iterator[Shadow]:
    opened = Shadow(pipeline_of(sample), by(exact), 1)
    yield opened
    opened.close()


def by(h: edge.Handle) -> Exact:
    """FP32 in this process."""

    def infer(background: Background, image: Image) -> Outputs:
        edge.set_background(h, edge.fit(h, background.image))
        return edge.infer(h, image)

    return infer


def answer(h: edge.Handle, sample: Sample) -> tuple[Any, Any]:
    edge.set_background(h, sample.bg)
    return tuple(np.array(plane) for plane in edge.infer(h, sample.fg_bg))  # type: ignore[return-value]


def settled(shadow: Shadow) -> CameraEvent | None:
    """What the frame that is under way gives."""
    pending = shadow._pending
    assert pending is not None
    wait([pending], 60)
    return shadow.take()


def test_drift_of_a_pipeline_is_that_of_its_frames(
    builds: Callable[[str, str], Path], exact: edge.Handle
) -> None:
    """Every second frame, against both builds run by themselves."""
    bg = RenderedScene("yard", 2, (240, 320)).background().image
    int8 = builds("onnxruntime", "int8")
    either = one = both = 0
    off = 0.0
    with (
        Camera("synthetic://yard?seed=2") as camera,
        edge.open(int8, 1) as h,
        edge.open(int8, 1) as a,
        open_float(int8) as b,
    ):
        pipeline = CameraPipeline(camera, h, bg, stabilize=False)
        pipeline.cut = lambda mask, depth: np.zeros_like(mask)
        shadow = Shadow(pipeline, by(exact), 0.5)
        pipeline.shadow = shadow.look
        for each in (a, b):
            edge.set_background(each, edge.fit(each, bg))
        for number in range(1, 13):
            frame = camera.take()
            assert isinstance(frame, Frame)
            pipeline.process(frame)
            if number % 2:
                continue
            assert settled(shadow) is None
            (mask, depth), (true, true_depth) = (
                edge.infer(each, edge.fit(each, frame.image)) for each in (a, b)
            )
            found, expected = mask >= 0.5, true >= 0.5  # type: ignore[operator]
            shared = found & expected
            either += (found | expected).sum()
            one += (found != expected).sum()
            both += shared.sum()
            off += np.abs(depth - true_depth)[shared].sum()  # type: ignore[operator,index]
        shadow.close()
    assert (shadow.compared, shadow.left_out) == (6, 0)
    assert shadow.drift is not None and both > 20
    assert shadow.drift.mask == pytest.approx(one / either)
    assert shadow.drift.depth == pytest.approx(off / both, abs=1e-6)


def test_drift_begins_and_ends_once(
    shadow: Shadow, exact: edge.Handle, sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, depth = answer(exact, sample)
    wrong = np.roll(mask, 12, axis=1)
    told = []
    for number in range(3 * FRAMES):
        given = wrong if FRAMES // 2 <= number < 2 * FRAMES else mask
        shadow.look(float(number), sample.fg_bg, given, depth)
        told.append(settled(shadow))
    events = [event for event in told if event is not None]
    assert [event.kind for event in events] == ["int8_drift", "int8_holds"]
    # Ten frames at the least, and ten after it ended at the most.
    assert FRAMES - 1 <= events[0].at < 2 * FRAMES <= events[1].at
    assert events[0].text.startswith("door: INT8 differs from FP32 in ")
    shadow.close()
    shadow.close()
    said = capsys.readouterr().err
    assert (
        said.count(f"door: {3 * FRAMES} frames beside FP32: INT8 differs from FP32 in 0.0 %") == 1
    )


def test_depth_drifts_by_itself(shadow: Shadow, exact: edge.Handle, sample: Sample) -> None:
    mask, depth = answer(exact, sample)
    wrong = np.clip(depth, 0, 0.8) + 0.2
    for number in range(FRAMES):
        shadow.look(float(number), sample.fg_bg, mask, wrong)
        event = settled(shadow)
    assert event is not None and event.kind == "int8_drift"
    assert shadow.drift is not None and shadow.drift.mask == 0
    assert shadow.drift.depth == pytest.approx((wrong - depth)[mask >= 0.5].mean(), abs=1e-5)


def test_bytes_are_compared_as_shares(shadow: Shadow, exact: edge.Handle, sample: Sample) -> None:
    mask, depth = ((255 * plane).round().astype(np.uint8) for plane in answer(exact, sample))
    shadow.look(0.0, sample.fg_bg, mask, depth)
    settled(shadow)
    assert shadow.drift is not None and shadow.drift.mask < 0.02
    assert (shadow.drift.depth or 0) < 0.5 / 255


def test_frames_without_foreground_say_nothing(shadow: Shadow, sample: Sample) -> None:
    empty = np.zeros(sample.mask.shape, np.float32)
    for number in range(2 * FRAMES):
        shadow.look(float(number), sample.bg, empty, empty)
        assert settled(shadow) is None
    assert (shadow.compared, shadow.drift) == (2 * FRAMES, None)


def test_frames_are_registered_as_the_pipeline_does(exact: edge.Handle, sample: Sample) -> None:
    pipeline = pipeline_of(sample, stabilizer=SimpleNamespace(offset=(2.0, 1.0)))
    shadow = Shadow(pipeline, by(exact), 1)
    edge.set_background(exact, sample.bg)
    moved = translate(sample.fg_bg, 2, 1)
    mask, depth = edge.infer(exact, translate(moved, -2, -1))
    assert mask is not None and depth is not None
    shadow.look(0.0, moved, translate(mask, 2, 1), translate(depth, 2, 1))
    settled(shadow)
    shadow.close()
    assert shadow.drift is not None and shadow.drift.mask == 0 and shadow.drift.depth == 0


def test_a_new_background_is_taken(exact: edge.Handle, samples: list[Sample]) -> None:
    scenes = {sample.bg.tobytes(): sample for sample in samples if sample.mask.any()}
    shadow = Shadow(pipeline := pipeline_of(samples[0]), by(exact), 1)
    for sample in scenes.values():
        pipeline.background = certain(sample.bg)
        shadow.look(0.0, sample.fg_bg, *answer(exact, sample))
        settled(shadow)
    shadow.close()
    assert len(scenes) == 2 and shadow.drift is not None and shadow.drift.mask == 0


def test_no_frame_waits(sample: Sample) -> None:
    """FP32 hangs: frames go on, those that are due are left out, and what was shown is a copy."""
    go = threading.Event()
    seen: list[Any] = []

    def hang(background: Background, image: Image) -> Outputs:
        go.wait(60)
        seen.append(image.copy())
        return np.ones(image.shape[:2], np.float32), None

    shadow = Shadow(pipeline_of(sample), hang, 1)
    image, mask = sample.fg_bg.copy(), np.ones(sample.mask.shape, np.float32)
    began = time.monotonic()
    for number in range(5):
        shadow.look(float(number), image, mask, None)
        assert shadow.take() is None
        image[:], mask[:] = 0, 0
    assert time.monotonic() - began < 30
    assert (shadow.compared, shadow.left_out) == (0, 4)
    go.set()
    settled(shadow)
    assert shadow.drift is not None and shadow.drift.mask == 0 and shadow.drift.depth is None
    np.testing.assert_array_equal(seen[0], sample.fg_bg)
    go.clear()
    shadow.look(9.0, image, mask, None)
    shadow.close()  # does not wait either
    go.set()


def test_an_fp32_that_ends_is_told_once(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    def end(background: Background, image: Image) -> Outputs:
        raise EdgeError("the process has ended")

    shadow = Shadow(pipeline_of(sample), end, 1)
    mask = np.ones(sample.mask.shape, np.float32)
    shadow.look(0.0, sample.fg_bg, mask, None)
    assert settled(shadow) is None
    shadow.look(1.0, sample.fg_bg, mask, None)
    assert shadow._pending is None and shadow.compared == 0
    told = "door: the process has ended; no more frames are compared with FP32"
    assert capsys.readouterr().err.count(told) == 1


def test_one_of_so_many(exact: edge.Handle, sample: Sample) -> None:
    shadow = Shadow(pipeline_of(sample), by(exact), 0.01)
    empty = np.zeros(sample.mask.shape, np.float32)
    for number in range(1, 250):
        shadow.look(float(number), sample.bg, empty, empty)
        if shadow._pending is not None:
            assert number % 100 == 0
            settled(shadow)
    shadow.close()
    assert (shadow.compared, shadow.left_out) == (2, 0)
