"""FP32 beside INT8, on a few frames of a camera and in idle time: does INT8 hold at this site?

INT8 was calibrated on samples. Where a site shows what they did not (fog, infrared, a floor of one
grey), its masks and depths may drift from those of the network that was trained. Truth is not known
at a site, FP32 is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.camera.source import CameraEvent
from edge.errors import EdgeError
from edge.image import translate
from edge.loop.pipeline import CameraPipeline
from edge.progress import note
from edge.runtime.backend import Plane
from edge.runtime.handle import Outputs
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.things.find import binarize

FRAMES = 10
"""Frames with foreground from which drift is judged, and of which it is judged: one is chance."""
MASK_DRIFT, DEPTH_DRIFT = 0.1, 0.025
"""Drift that is told: twice the most that ten frames showed where INT8 holds (docs/watch.md)."""
MEND = "edge build --samples with a clip of this camera calibrates for it"
RECOVERED = 0.8
"""Share of those limits below which drift has ended."""


Exact = Callable[[Background, Image], Outputs]
"""FP32 of a frame, uint8 [H, W, 3] of the build's size, before a background; may take long."""


@dataclass(frozen=True)
class Drift:
    """How far INT8 is from FP32 over some frames.

    Attributes:
        frames: that were compared and had foreground.
        mask: share of the foreground of either on which they disagree, 0 to 1 (one minus the IoU).
        depth: mean difference of their depths where both see foreground, 0 to 1; None without.
    """

    frames: int
    mask: float
    depth: float | None

    def exceeds(self, share: float = 1.0) -> bool:
        """Whether masks or depths differ by more than a share of what is told."""
        deep = self.depth is not None and self.depth > share * DEPTH_DRIFT
        return self.mask > share * MASK_DRIFT or deep

    def __str__(self) -> str:
        depth = "" if self.depth is None else f", its depth by {self.depth:.3f} there"
        return f"INT8 differs from FP32 in {100 * self.mask:.1f} % of the foreground{depth}"


@dataclass(frozen=True)
class _Compared:
    """Pixels of one frame: of either mask, of one alone, of both; and the depths' differences."""

    either: int
    one: int
    both: int
    depth: float | None


@dataclass(frozen=True)
class _Look:
    """What FP32 is to compute, and what INT8 gave for it."""

    at: float
    image: Image
    background: Background
    offset: tuple[float, float]
    int8: Outputs


class Shadow:
    """Compares every n-th frame of a camera with FP32; `look` and `take` belong to one thread.

    A thread of its own waits for FP32. A frame that is due meanwhile is left out and counted.

    Args:
        pipeline: of the camera, with an int8 build.
        exact: FP32 of the same network and size (edge.watch.float_process), called in that thread.
        share: of the frames that are compared, above 0 and up to 1.

    Attributes:
        compared: frames that were compared, those without foreground included.
        left_out: frames that were due and for which there was no time.
        drift: over the last frames with foreground, FRAMES at most; None before the first.
    """

    def __init__(self, pipeline: CameraPipeline, exact: Exact, share: float) -> None:
        self._pipeline, self._exact = pipeline, exact
        self._every = max(1, round(1 / share))
        self._seen = self.compared = self.left_out = 0
        self._recent: deque[_Compared] = deque(maxlen=FRAMES)
        self.drift: Drift | None = None
        self._pending: Future[tuple[_Look, Outputs]] | None = None
        self._told = self._closed = False
        self._pool = ThreadPoolExecutor(1, "edge-shadow")

    def look(self, at: float, image: Image, mask: Plane, depth: Plane | None) -> None:
        """See a frame; for CameraPipeline.shadow.

        Args:
            at: its time.
            image: as the network saw it, but for the stabilization.
            mask, depth: what INT8 gave, before anything was cut out of them.
        """
        self._seen += 1
        if not self._every or self._seen % self._every:
            return
        if self._pending is not None:
            self.left_out += 1
            return
        pipeline = self._pipeline
        offset = pipeline.stabilizer.offset if pipeline.stabilizer else (0.0, 0.0)
        int8 = mask.copy(), None if depth is None else depth.copy()
        look = _Look(at, image.copy(), pipeline.background, offset, int8)
        self._pending = self._pool.submit(self._infer, look)

    def take(self) -> CameraEvent | None:
        """Compare what FP32 has finished; `int8_drift` where it now drifts, `int8_holds` where it
        does no more."""
        if self._pending is None or not self._pending.done():
            return None
        pending, self._pending = self._pending, None
        try:
            look, exact = pending.result()
        except (EdgeError, CancelledError) as error:
            if not self._closed:
                self._every = 0
                name = self._pipeline.camera.name
                note(f"{name}: {error}; no more frames are compared with FP32")
            return None
        self.compared += 1
        found = _compare(look.int8, exact)
        if not found.either:
            return None
        self._recent.append(found)
        drift = self.drift = _drift(self._recent)
        if drift.frames < FRAMES:
            return None
        name = self._pipeline.camera.name
        if not self._told and drift.exceeds():
            self._told = True
            return CameraEvent("int8_drift", look.at, f"{name}: {drift}: {MEND}")
        if self._told and not drift.exceeds(RECOVERED):
            self._told = False
            return CameraEvent("int8_holds", look.at, f"{name}: {drift}, as it should be")
        return None

    def close(self) -> None:
        """Say what was found; a second call does nothing. The frame under way is not waited for."""
        if self._closed:
            return
        self._closed = True
        self.take()
        self._pool.shutdown(wait=False, cancel_futures=True)
        found = "none had foreground" if self.drift is None else str(self.drift)
        if not self.compared:
            found = "nothing is known about INT8 here"
        late = f", {self.left_out} left out without idle time" if self.left_out else ""
        note(f"{self._pipeline.camera.name}: {self.compared} frames beside FP32{late}: {found}")

    def _infer(self, look: _Look) -> tuple[_Look, Outputs]:
        """What FP32 gives for a frame."""
        dx, dy = look.offset
        if not (dx or dy):
            return look, self._exact(look.background, look.image)
        mask, depth = self._exact(look.background, translate(look.image, -dx, -dy))
        return look, (
            None if mask is None else translate(mask, dx, dy),
            None if depth is None else translate(depth, dx, dy),
        )


def _drift(compared: Sequence[_Compared]) -> Drift:
    """The drift over frames, of which one or more has foreground."""
    either, one, both = (
        sum(getattr(each, key) for each in compared) for key in ("either", "one", "both")
    )
    depths = [each.depth for each in compared if each.depth is not None]
    return Drift(len(compared), one / either, sum(depths) / both if depths and both else None)


def _compare(int8: Outputs, exact: Outputs) -> _Compared:
    (mask, depth), (true, true_depth) = int8, exact
    assert mask is not None and true is not None
    a, b = binarize(mask) > 0, binarize(true) > 0
    both = a & b
    off = None
    if depth is not None and true_depth is not None:
        off = float(np.abs(_shares(depth[both]) - _shares(true_depth[both])).sum())
    either, one, shared = (int(np.count_nonzero(plane)) for plane in (a | b, a ^ b, both))
    return _Compared(either, one, shared, off)


def _shares(plane: Plane) -> npt.NDArray[np.float64]:
    """Values 0 to 1."""
    return np.asarray(plane, np.float64) / (255 if plane.dtype == np.uint8 else 1)
