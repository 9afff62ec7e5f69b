"""The pipeline of one camera: from a frame to mask, depth and things."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from edge.camera.camera import Camera
from edge.camera.source import CameraEvent, Frame
from edge.errors import EdgeError, UsageError
from edge.image import fit, size_of, translate
from edge.loop.prepared import Prepared, prepare
from edge.runtime.backend import Plane
from edge.runtime.handle import Handle, infer
from edge.samples.sample import Image
from edge.scene.background import Background, certain
from edge.scene.check import OK, TEXTS
from edge.scene.improve import AGES_S, BackgroundImprover, Estimate, changed_share
from edge.scene.occluder import Box
from edge.scene.repaint import Repaint
from edge.scene.upkeep import LEARNED, RENEWED, Change, Outline, Upkeep
from edge.things.find import binarize, find_things
from edge.things.thing import Thing

Cut = Callable[[Plane, Plane | None], Plane]
Look = Callable[[float, Image, Plane, "Plane | None"], None]
Followed = tuple[Sequence[Box], Sequence[Outline]]
"""Boxes of the things that are followed, and outlines of what is gone, in pixels of the frame."""

CHECK_S = 0.5
"""Seconds of the source between two looks at whether the background fits."""
CONFIRMED_S = 10.0
"""Seconds after which a scene is learned anew when somebody confirmed it."""


@dataclass(frozen=True)
class FrameResult:
    """The result of one frame.

    Attributes:
        frame: the frame.
        mask, depth: [h, w] as `edge.infer` gives them, the mask without what sways
            (edge.scene.sway) and what is to be ignored; valid until two further frames of this
            camera are processed; depth is None where the network has none.
        foreground: share of the frame in the mask, 0 to 1.
        things: the connected parts of the mask, the largest first.
        offset: how far the camera was off, in pixels of the build to the right and down; None
            without stabilization, and where it is unknown.
        background: the background that the frame was compared with.
        fits: whether the background fits the scene; where not, mask and depth mean nothing.
        events: what happened to the scene: `camera_moved`, `covered`, `defocused`,
            `scene_changed`, `scene_fits`, `background_unsure`, `background_improved`, and the
            changes of edge.scene.upkeep.
        busy_ms: milliseconds of computing.
        latency_ms: milliseconds since the frame arrived, waiting included.
        whole: the mask before anything was taken out of it, to be kept for as long as one likes;
            None: nothing was.
    """

    frame: Frame
    mask: Plane
    depth: Plane | None
    foreground: float
    things: list[Thing]
    offset: tuple[float, float] | None
    background: Background
    fits: bool
    events: list[CameraEvent]
    busy_ms: float
    latency_ms: float
    whole: Plane | None = None

    @property
    def private(self) -> Plane:
        """The mask by which people are hidden: what was taken out of the other may be one."""
        return self.mask if self.whole is None else self.whole


class CameraPipeline:
    """A camera, its background, and an open build.

    Args:
        camera: source of the frames.
        h: an open build with a mask.
        background: of the camera's size; an image, uint8 [H, W, 3] BGR, is taken for sure.
        stabilize: register the frames of a trembling camera to the background first.
        improver: improves the background of a live camera in its first minutes.
        upkeep: keeps the background fresh from then on; begun with the same background.
        estimate: learns the scene anew when somebody confirms it; None: nobody does.
        spare: the same build, opened once more: a renewed background is prepared in it by a thread,
            and used from the frame on at which it is ready. None: frames wait for it.

    Attributes:
        followed: gives the boxes of the things that are followed, and the outlines of what is gone
            that the background shows; None: the things of each frame count.
        cut: takes each mask and depth, and gives the mask without what is to be ignored; None: all
            of it counts.
        h: the open build in which the present background is.
        stabilizer: registers frames to it, or None.
        ground: where things stand before it.
        since: when it was taken, in seconds of time.monotonic.
        repaint: has areas of it learned anew, as somebody asks.
        shadow: shown every frame while the background fits: its time, the image at the build's
            size, and mask and depth as the network gives them, to be read during the call only.

    Raises:
        UsageError: the build gives no mask, or the background is not an image.
    """

    def __init__(
        self,
        camera: Camera,
        h: Handle,
        background: Background | Image,
        stabilize: bool = True,
        improver: BackgroundImprover | None = None,
        upkeep: Upkeep | None = None,
        estimate: Estimate | None = None,
        spare: Handle | None = None,
    ) -> None:
        if not any(tensor.name.startswith("mask") for tensor in h.manifest.outputs):
            raise UsageError(f"{h.manifest.name} gives no mask; build a network that does")
        if not isinstance(background, Background):
            _check_image(background, "bg")
            background = certain(background)
        self.camera, self.size = camera, size_of(background.image)
        self._stabilize, self._spare = stabilize, spare
        self._improver, self._upkeep, self._estimate = improver, upkeep, estimate
        self._confirmed = self._processed = False
        self.followed: Callable[[], Followed] | None = None
        self.cut: Cut | None = None
        self.shadow: Look | None = None
        self.repaint = Repaint()
        self._beside = ThreadPoolExecutor(1, "edge-prepare")
        self._coming: tuple[Change, Future[Prepared]] | None = None
        self._use(prepare(h, background, stabilize, camera.name))

    def set_background(self, background: Background) -> None:
        """Take a new background of the same size."""
        self._coming = None
        self._use(prepare(self.h, background, self._stabilize, self.camera.name))

    def _use(self, ready: Prepared) -> None:
        self.h, self.background, self.since = ready.h, ready.background, time.monotonic()
        self.stabilizer, self.ground = ready.stabilizer, ready.ground
        self._check, self._warning = ready.check, ready.warning
        self._sway = ready.sway
        self._checked = float("-inf")

    def process(self, frame: Frame) -> FrameResult:
        """Infer a frame of the camera and find its things.

        Raises:
            EdgeError: the frame has another size than the background.
        """
        _check_image(frame.image, "frame")
        if frame.image.shape[:2] != self.size:
            given, expected = (f"{w}x{h}" for h, w in (frame.image.shape[:2], self.size))
            text = f"{self.camera.name} gives {given}, its background is {expected}"
            if self._processed:
                text = f"frame {frame.number} of {text}, as its frames were before"
                raise EdgeError(text, "all frames of a source have one size")
            raise EdgeError(text, f"make one of this size: edge background {self.camera.name}")
        self._processed = True
        start = time.perf_counter()
        events = [
            *self._arrived(frame),
            *self._improved(frame),
            *self._warned(frame),
            *self._checked_scene(frame),
        ]
        image = fit(self.h, frame.image)
        mask, depth = self.stabilizer.infer(image) if self.stabilizer else infer(self.h, image)
        assert mask is not None
        if self.shadow is not None and self._check.fits:
            self.shadow(frame.at, image, mask, depth)
        moved = self.stabilizer.offset if self.stabilizer else (0.0, 0.0)
        whole, mask = mask, self._sway.without(mask, image, frame.at, moved)
        seen = mask
        if self.cut is not None:
            mask = self.cut(mask, depth)
        fits = self._check.fits and not (self._upkeep and self._upkeep.doubtful)
        background, things = self.background, find_things(mask, depth, self.size, self.ground)
        offset = self.stabilizer.offset if self.stabilizer and fits else None
        if fits:
            events += self._renewed(frame, seen, things, offset or (0.0, 0.0))
            events += self._repainted(frame, seen, offset or (0.0, 0.0))
        return FrameResult(
            frame=frame,
            mask=mask,
            depth=depth,
            foreground=np.count_nonzero(binarize(mask)) / mask.size,
            things=things,
            offset=offset,
            background=background,
            fits=fits,
            events=events,
            busy_ms=1e3 * (time.perf_counter() - start),
            latency_ms=1e3 * (time.monotonic() - frame.arrived),
            whole=None if mask is whole else whole.copy(),
        )

    def _warned(self, frame: Frame) -> list[CameraEvent]:
        """Say once of each background that a part of it is unsure."""
        text, self._warning = self._warning, None
        return [CameraEvent("background_unsure", frame.at, text)] if text else []

    def _checked_scene(self, frame: Frame) -> list[CameraEvent]:
        """Whether the background still fits, a few times a second."""
        if frame.at - self._checked < CHECK_S:
            return []
        self._checked = frame.at
        state = self._check.update(frame.image, frame.at)
        if self._upkeep is not None and self._settled:
            change = self._upkeep.check(frame.image, frame.at, self._check)
            if change is not None:
                return self._taken(change, frame)
        if state is None:
            return []
        kind = "scene_fits" if state.kind == OK else state.kind
        offset = ""
        if state.offset is not None:
            offset = " {:.0f} pixels to the right and {:.0f} down".format(*state.offset)
        return [CameraEvent(kind, frame.at, f"{self.camera.name} {TEXTS[state.kind]}{offset}")]

    @property
    def _settled(self) -> bool:
        """Whether nothing is being learned of the whole scene, so that it is kept fresh."""
        return self._improver is None or self._improver.done

    def _improved(self, frame: Frame) -> list[CameraEvent]:
        """Take a better background when there is one; nothing is learned while it does not fit,
        unless somebody confirmed that it is to be."""
        if self._improver is None or not (self._confirmed or self._check.fits):
            return []
        self._improver.add(frame.image, frame.at)
        better = self._improver.take()
        if better is None:
            return []
        share = 100 * changed_share(self.background, better)
        events = self._fits_again(frame)
        self.set_background(better)
        self.repaint.forget()
        if self._upkeep is not None:
            self._upkeep.restart(better)
        kind, text = (
            "background_improved",
            f"the background was improved, {share:.1f} % of it changed",
        )
        if self._confirmed:
            self._confirmed = False
            kind, text = LEARNED, "the background was learned anew, as somebody confirmed"
        return [CameraEvent(kind, frame.at, f"{self.camera.name}: {text}"), *events]

    @property
    def learns(self) -> bool:
        """Whether the scene can be learned anew while it is watched (`confirm`)."""
        return self._estimate is not None

    @property
    def learning(self) -> bool:
        """Whether it is being learned anew, because somebody confirmed it."""
        return self._confirmed

    def confirm(self) -> bool:
        """Learn the scene anew as it is now: somebody says that the camera stands where it is to.

        The next frames are gathered as at the start.

        Returns:
            False, and nothing happens, for a pipeline without `estimate`.
        """
        if self._estimate is None:
            return False
        if self._improver is not None:
            self._improver.close(wait=False)
        self._improver = BackgroundImprover(self._estimate, (CONFIRMED_S, *AGES_S))
        self._confirmed = True
        return True

    def _renewed(
        self, frame: Frame, mask: Plane, things: list[Thing], offset: tuple[float, float]
    ) -> list[CameraEvent]:
        """Keep the background fresh from a frame now and then."""
        if self._upkeep is None or not self._settled or not self._upkeep.due(frame.at):
            return []
        image = _registered(frame.image, mask, offset)
        change = self._upkeep.look(image, frame.at, mask, *self._followed(things))
        return [] if change is None else self._taken(change, frame)

    def _repainted(
        self, frame: Frame, mask: Plane, offset: tuple[float, float]
    ) -> list[CameraEvent]:
        """Learn an area of the background anew where somebody asked for it."""
        # What is being prepared does not have it yet, nor would it be in what comes of it.
        if self._confirmed or self._coming is not None or not self.repaint.busy:
            return []
        before = self.background
        painted = self.repaint.update(
            before, lambda: _registered(frame.image, mask, offset), frame.at
        )
        if painted is None:
            return []
        if self._improver is not None and not self._improver.done:
            # The frames that it has gathered show what was painted out.
            self._improver.close(wait=False)
            self._improver = BackgroundImprover(self._estimate) if self._estimate else None
        if self._upkeep is not None:
            self._upkeep.take(painted)
        share = 100 * changed_share(before, painted)
        text = f"an area was painted anew, as somebody asked; {share:.1f} % of the scene changed"
        return self._taken(Change(RENEWED, painted, text), frame)

    def _followed(self, things: list[Thing]) -> Followed:
        if self.followed is not None:
            return self.followed()
        return [thing.box for thing in things], []

    def _taken(self, change: Change, frame: Frame) -> list[CameraEvent]:
        """Use another background: at once, where the present one means nothing any more."""
        if change.kind == RENEWED and self._spare is not None:
            self._coming = (
                change,
                self._beside.submit(
                    prepare, self._spare, change.background, self._stabilize, self.camera.name
                ),
            )
            return []
        events = self._fits_again(frame)
        self.set_background(change.background)
        if change.kind != RENEWED:
            self.repaint.forget()
        return [self._told(change, frame), *events, *self._warned(frame)]

    def _arrived(self, frame: Frame) -> list[CameraEvent]:
        """Use a background that was prepared beside the frames, when it is ready."""
        if self._coming is None or not self._coming[1].done():
            return []
        (change, future), self._coming = self._coming, None
        events, self._spare = self._fits_again(frame), self.h
        self._use(future.result())
        return [self._told(change, frame), *events]

    def _told(self, change: Change, frame: Frame) -> CameraEvent:
        return CameraEvent(change.kind, frame.at, f"{self.camera.name}: {change.text}")

    def _fits_again(self, frame: Frame) -> list[CameraEvent]:
        """What ends when the background becomes another one."""
        if self._check.reported.kind == OK:
            return []
        return [CameraEvent("scene_fits", frame.at, f"{self.camera.name} {TEXTS[OK]}")]

    def close(self) -> None:
        """End the learning of the background; what was learned is kept."""
        self._beside.shutdown()
        if self._improver is not None:
            self._improver.close()
        if self._upkeep is not None:
            self._upkeep.close()


def _registered(image: Image, mask: Plane, offset: tuple[float, float]) -> Image:
    """A frame as it lies on the background; `offset` is in pixels of the mask."""
    if offset == (0.0, 0.0):
        return image
    scale = image.shape[1] / mask.shape[1], image.shape[0] / mask.shape[0]
    return translate(image, -offset[0] * scale[0], -offset[1] * scale[1])


def _check_image(image: Image, name: str) -> None:
    shape: tuple[int, ...] = getattr(image, "shape", ())
    dtype = getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise UsageError(f"{name} is {dtype} {list(shape)}, expected uint8 [height, width, 3]")
