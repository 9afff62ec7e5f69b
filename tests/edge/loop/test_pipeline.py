from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edge
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.camera import Camera
from edge.camera.source import Frame
from edge.errors import EdgeError, UsageError
from edge.loop import pipeline as module
from edge.loop.pipeline import CHECK_S, CONFIRMED_S, CameraPipeline
from edge.loop.prepared import Prepared, prepare
from edge.runtime.backend import Plane
from edge.samples.sample import Image
from edge.scene.background import Background, certain
from edge.scene.bank import first_entry
from edge.scene.check import HOLD_S
from edge.scene.improve import AGES_S, EVERY_S, BackgroundImprover, Estimate
from edge.scene.sway import Sway
from edge.scene.upkeep import RENEWED, SWITCHED, Change, Upkeep


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
        assert all(thing.area <= 1 for thing in result.things)
    assert np.corrcoef(shares, true)[0, 1] > 0.7  # at 64x64 people are a few pixels


def test_what_sways_is_no_thing_but_is_hidden_and_compared(
    source: Camera, h: edge.Handle, bg: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all sways: no thing, no foreground; redaction and the float process see the network's
    mask, and the frame may be kept while others follow."""
    asked: list[tuple[float, tuple[float, float]]] = []

    def all_of_it(
        sway: Sway, mask: Plane, image: Image, at: float, offset: tuple[float, float]
    ) -> Plane:
        asked.append((at, offset))
        return np.zeros_like(mask)

    monkeypatch.setattr(Sway, "without", all_of_it)
    pipeline, compared = CameraPipeline(source, h, bg), []
    pipeline.shadow = lambda at, image, mask, depth: compared.append(mask.copy())
    frames = [next_of(source) for _ in range(12)]
    results = [pipeline.process(frame) for frame in frames]
    monkeypatch.undo()
    assert [at for at, _ in asked] == [frame.at for frame in frames]
    assert not any(result.things or result.foreground for result in results)
    assert sum(float(mask.mean()) for mask in compared) > 0
    for result, mask in zip(results, compared, strict=True):
        assert np.array_equal(result.private, mask)
    seen = pipeline.process(frames[-1])
    assert seen.whole is None and seen.private is seen.mask


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


def test_what_happens_to_the_scene_is_an_event_and_the_offset_is_unknown(
    source: Camera, h: edge.Handle, bg: Image
) -> None:
    pipeline = CameraPipeline(source, h, bg)
    events, offsets = [], []
    for number in range(150):  # 10 seconds
        frame = next_of(source)
        if number >= 60:
            frame = replace(frame, image=np.roll(frame.image, 40, axis=1))
        result = pipeline.process(frame)
        events += [(event.kind, event.at) for event in result.events]
        offsets.append(result.offset)
    assert [kind for kind, _ in events] == ["camera_moved"]
    assert events[0][1] == pytest.approx(4 + HOLD_S, abs=2 * CHECK_S)
    assert None not in offsets[:60]
    assert set(offsets[70:]) == {None}


def test_a_better_background_is_taken_and_reported(
    source: Camera, h: edge.Handle, bg: Image
) -> None:
    with_someone = bg.copy()
    with_someone[100:220, 100:160] = 20
    gathered: list[int] = []

    def estimate(images: Sequence[Image]) -> Background:
        gathered.append(len(images))
        return certain(bg)

    pipeline = CameraPipeline(source, h, with_someone, improver=BackgroundImprover(estimate))
    events, foreground = [], []
    later = 0
    while later < 15:  # frames after the event, or 60 seconds
        if not events and len(foreground) > 15 * (AGES_S[0] + 1):
            time.sleep(0.05)  # the estimate is made beside the frames
        assert len(foreground) < 15 * 60
        later += bool(events)
        result = pipeline.process(next_of(source))
        events += [event.kind for event in result.events]
        foreground.append(result.foreground - result.frame.truth.mean())  # type: ignore[union-attr]
    pipeline.close()
    assert events == ["background_improved"]
    assert gathered[0] >= 0.9 * AGES_S[0] / EVERY_S
    assert np.array_equal(pipeline.background.image, bg)
    assert np.mean(foreground[:60]) > np.mean(foreground[-10:]) + 0.03


def test_nothing_is_learned_while_the_background_does_not_fit(
    source: Camera, h: edge.Handle, bg: Image
) -> None:
    improver = BackgroundImprover(lambda images: pytest.fail("an estimate was made"))
    pipeline = CameraPipeline(source, h, bg[::-1].copy(), improver=improver)
    kinds = [
        event.kind
        for _ in range(round(15 * (AGES_S[0] + 2)))
        for event in pipeline.process(next_of(source)).events
    ]
    pipeline.close()
    assert kinds == ["scene_changed"]


def test_an_unsure_background_is_an_event_once(source: Camera, h: edge.Handle, bg: Image) -> None:
    confidence = np.full(bg.shape[:2], 255, np.uint8)
    confidence[100:200, 100:200] = 0
    pipeline = CameraPipeline(source, h, Background(bg, confidence))
    events = [event for _ in range(20) for event in pipeline.process(next_of(source)).events]
    assert [event.kind for event in events] == ["background_unsure"]
    assert "13 % of the background was hardly ever seen empty" in events[0].text


@pytest.mark.parametrize("stabilize", [True, False])
def test_the_spread_reaches_the_network(
    stabilize: bool,
    source: Camera,
    h: edge.Handle,
    bg: Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Mapping[str, Image]] = []
    original = h.backend.set_background

    def record(images: Mapping[str, Image]) -> None:
        given.append(images)
        original(images)

    monkeypatch.setattr(h.backend, "set_background", record)
    spread = np.zeros_like(bg)
    spread[:, 160:] = 40
    pipeline = CameraPipeline(source, h, replace(certain(bg), spread=spread), stabilize)
    assert given[-1]["spread"].shape == (h.height, h.width, 3)
    assert (given[-1]["spread"][:, h.width // 2 :] == 40).all()
    assert not given[-1]["spread"][:, : h.width // 2].any()
    pipeline.set_background(certain(bg))
    assert not given[-1]["spread"].any()


class Still:
    """A camera whose frames a test makes: one every CHECK_S, of an image and noise."""

    name, live = "still", True

    def __init__(self) -> None:
        self.at, self._rng = 1000.0, np.random.default_rng(3)

    def events(self, pipeline: CameraPipeline, image: Image, seconds: float) -> list[str]:
        """What the pipeline tells of so many seconds."""
        kinds = []
        for _ in range(round(seconds / CHECK_S)):
            noisy = np.clip(image + self._rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            result = pipeline.process(Frame(noisy, 0, self.at, 0.0))
            kinds += [event.kind for event in result.events]
            self.at += CHECK_S
        return kinds


def test_a_renewed_background_is_prepared_beside_the_frames(
    builds: Callable[[str, str], Path], h: edge.Handle, bg: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames go on with the former one until it is ready; another light is taken at once."""
    began, go = threading.Event(), threading.Event()

    def slowly(*words: Any) -> Prepared:
        if threading.current_thread() is not threading.main_thread():
            began.set()
            assert go.wait(60)
        return prepare(*words)

    monkeypatch.setattr(module, "prepare", slowly)
    camera: Any = SimpleNamespace(name="yard", live=True)
    changes: list[Change] = []
    upkeep: Any = SimpleNamespace(
        due=lambda at: True, doubtful=False, close=lambda: None,
        look=lambda *_: changes.pop() if changes else None, check=lambda *_: None,
    )  # fmt: skip
    number = iter(range(1000))

    def see(image: Image) -> Any:
        at = 0.1 * next(number)
        return pipeline.process(Frame(image, 0, at, time.monotonic()))

    brighter = np.clip(bg * 1.3, 0, 255).astype(np.uint8)
    with edge.open(builds("openvino", "fp32"), 1) as spare:
        pipeline = CameraPipeline(camera, h, bg, upkeep=upkeep, spare=spare)
        changes.append(Change(RENEWED, certain(brighter), "fresh"))
        assert see(bg).events == [] and began.wait(60)
        result = see(brighter)
        assert result.background.image is bg and result.events == []
        before = result.mask.copy()
        go.set()
        while not (result := see(brighter)).events:
            time.sleep(0.01)
        assert [(e.kind, e.text) for e in result.events] == [(RENEWED, "yard: fresh")]
        assert result.background.image is brighter and pipeline.h is spare
        with edge.open(builds("openvino", "fp32"), 1) as alone:
            expected = CameraPipeline(camera, alone, brighter).process(
                Frame(brighter, 0, 0.0, time.monotonic())
            )
            assert np.array_equal(result.mask, expected.mask)
            assert not np.array_equal(result.mask, before)

        go.clear()
        began.clear()
        changes.append(Change(RENEWED, certain(bg), "late"))
        assert see(bg).events == [] and began.wait(60)
        changes.append(Change(SWITCHED, certain(bg.copy()), "dark"))
        assert [event.text for event in see(bg).events] == ["yard: dark"]
        go.set()
        pipeline.close()
        assert see(bg).events == []  # what was prepared meanwhile is of the former light


def infrared(image: Image) -> Image:
    grey = image @ np.array([0.2, 0.3, 0.5])
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def kept(h: edge.Handle, bg: Image, estimate: Estimate | None = None) -> tuple[Any, CameraPipeline]:
    camera: Any = Still()
    upkeep = Upkeep([first_entry(certain(bg))])
    return camera, CameraPipeline(camera, h, bg, upkeep=upkeep, estimate=estimate)


def test_infrared_is_learned_once_and_no_alarm(h: edge.Handle) -> None:
    bg = RenderedScene("room", 2, (120, 160)).background().image
    camera, pipeline = kept(h, bg)
    assert camera.events(pipeline, bg, 5) == []
    told = [camera.events(pipeline, image, 5) for image in (infrared(bg), bg, infrared(bg))]
    pipeline.close()
    assert told == [["background_learned"], ["background_switched"], ["background_switched"]]


def test_a_moved_camera_learns_nothing_until_somebody_confirms(h: edge.Handle) -> None:
    bg = RenderedScene("room", 2, (120, 160)).background().image
    moved = np.roll(bg, 30, axis=1)
    camera, pipeline = kept(h, bg, lambda images: certain(images[-1]))
    assert camera.events(pipeline, moved, 60) == ["camera_moved"]
    assert pipeline.background.image is bg
    assert pipeline.confirm()
    told: list[str] = []
    while not told and camera.at < 2000:
        told = camera.events(pipeline, moved, 1)
        time.sleep(0.01)  # the estimate is made beside the loop
    assert told == ["background_learned", "scene_fits"]
    assert camera.at - 1060 >= CONFIRMED_S
    assert np.abs(pipeline.background.image.astype(int) - moved).mean() < 3
    assert camera.events(pipeline, moved, 3) == []
    pipeline.close()


def test_without_an_estimate_there_is_nothing_to_confirm(h: edge.Handle, bg: Image) -> None:
    camera: Any = Still()
    assert not CameraPipeline(camera, h, bg).confirm()


def test_a_ghost_is_painted_out_while_the_camera_is_watched(h: edge.Handle) -> None:
    bg = RenderedScene("room", 2, (120, 160)).background().image
    ghost = bg.copy()
    ghost[40:70, 60:80] = (20, 60, 240)
    gathered: list[int] = []

    def estimate(images: Sequence[Image]) -> Background:
        gathered.append(len(images))
        return certain(images[-1])

    camera: Any = Still()
    improver = BackgroundImprover(estimate, (1e6,))
    upkeep = Upkeep([first_entry(certain(ghost))])
    pipeline = CameraPipeline(camera, h, ghost, True, improver, upkeep, estimate)
    camera.events(pipeline, bg, 2)
    assert pipeline.since <= time.monotonic()
    pipeline.repaint.ask((58, 38, 24, 34))
    assert camera.events(pipeline, bg, 10).count("background_renewed") == 1
    assert np.abs(pipeline.background.image.astype(int) - bg).mean() < 3
    assert upkeep.background is pipeline.background
    assert pipeline.ground is not None
    pipeline.repaint.undo()
    assert camera.events(pipeline, bg, 1) == ["background_renewed"]
    assert (pipeline.background.image == ghost).all()
    pipeline.close()
    assert gathered == []  # what was gathered before has the ghost in it


def test_what_is_taken_back_while_another_is_prepared_is_taken_back_as_well(
    h: edge.Handle, builds: Callable[[str, str], Path]
) -> None:
    """Two ghosts are painted out, and both come back, however fast somebody clicks."""
    bg = RenderedScene("room", 2, (120, 160)).background().image
    ghosts = bg.copy()
    ghosts[40:70, 20:40] = ghosts[40:70, 100:120] = (20, 60, 240)
    camera: Any = Still()

    def until_done() -> None:
        while pipeline.repaint.busy or pipeline._coming is not None:
            camera.events(pipeline, bg, 1)
            time.sleep(0.005)

    with edge.open(builds("openvino", "fp32"), 1) as spare:
        upkeep = Upkeep([first_entry(certain(ghosts))])
        pipeline = CameraPipeline(camera, h, ghosts, upkeep=upkeep, spare=spare)
        camera.events(pipeline, bg, 2)
        for left in (18, 98):
            pipeline.repaint.ask((left, 38, 24, 34))
            until_done()
        assert np.abs(pipeline.background.image.astype(int) - bg).mean() < 3
        for _ in range(2):
            pipeline.repaint.undo()
        until_done()
        assert (pipeline.background.image == ghosts).all()
        pipeline.close()
