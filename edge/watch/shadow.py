"""FP32 beside INT8, on a few frames of a camera and in idle time: does INT8 hold at this site?

INT8 was calibrated on samples. Where a site shows what they did not (fog, infrared, a floor of one
grey), its masks and depths may drift from those of the network that was trained. Truth is not known
at a site, FP32 is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx

import edge
from edge import manifest as manifests
from edge.builder.plan import float_plan
from edge.builder.write import NETWORK, write_build
from edge.camera.source import CameraEvent
from edge.errors import UsageError
from edge.image import fit, translate
from edge.loop.pipeline import CameraPipeline
from edge.progress import note
from edge.runtime.backend import Plane
from edge.runtime.handle import Handle, Outputs, infer, set_background
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.targets import get
from edge.things.find import binarize

TARGET = "onnxruntime"
"""FP32 is the same number on every target; this one runs on every machine, beside any GPU."""
FRAMES = 10
"""Frames with foreground from which drift is judged, and of which it is judged: one is chance."""
MASK_DRIFT, DEPTH_DRIFT = 0.1, 0.025
"""Drift that is told: twice the most that ten frames showed where INT8 holds (docs/watch.md)."""
MEND = "edge build --samples with a clip of this camera calibrates for it"
RECOVERED = 0.8
"""Share of those limits below which drift has ended."""


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

    FP32 runs in a thread of its own that the system lets run when nobody else wants a core (Linux;
    elsewhere as any other). A frame that is due while it still works is left out and counted.

    Args:
        pipeline: of the camera, with an int8 build.
        h: FP32 of the same network and size, for this camera alone (`float_build`).
        share: of the frames that are compared, above 0 and up to 1.

    Attributes:
        compared: frames that were compared, those without foreground included.
        left_out: frames that were due and for which there was no time.
        drift: over the last frames with foreground, FRAMES at most; None before the first.
    """

    def __init__(self, pipeline: CameraPipeline, h: Handle, share: float) -> None:
        self._pipeline, self._h = pipeline, h
        self._every = max(1, round(1 / share))
        self._seen = self.compared = self.left_out = 0
        self._recent: deque[_Compared] = deque(maxlen=FRAMES)
        self.drift: Drift | None = None
        self._background: Background | None = None
        self._pending: Future[tuple[_Look, Outputs]] | None = None
        self._told = self._closed = False
        self._pool = ThreadPoolExecutor(1, "edge-shadow", initializer=_only_when_idle)

    def look(self, at: float, image: Image, mask: Plane, depth: Plane | None) -> None:
        """See a frame; for CameraPipeline.shadow.

        Args:
            at: its time.
            image: as the network saw it, but for the stabilization.
            mask, depth: what INT8 gave, before anything was cut out of them.
        """
        self._seen += 1
        if self._seen % self._every:
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
        (look, exact), self._pending = self._pending.result(), None
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
        """Wait for the frame that is under way, and say what was found; a second call is none."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown()
        self.take()
        found = "none with foreground" if self.drift is None else str(self.drift)
        late = f", {self.left_out} left out without time" if self.left_out else ""
        note(f"{self._pipeline.camera.name}: {self.compared} frames beside FP32{late}: {found}")

    def _infer(self, look: _Look) -> tuple[_Look, Outputs]:
        """What FP32 gives for a frame."""
        if look.background is not self._background:
            spread = look.background.spread
            set_background(
                self._h,
                fit(self._h, look.background.image),
                None if spread is None else fit(self._h, spread),
            )
            self._background = look.background
        dx, dy = look.offset
        if not (dx or dy):
            return look, infer(self._h, look.image)
        mask, depth = infer(self._h, translate(look.image, -dx, -dy))
        return look, (
            None if mask is None else translate(mask, dx, dy),
            None if depth is None else translate(depth, dx, dy),
        )


def open_float(build: Path) -> Handle:
    """FP32 of an int8 build's network, open on one thread; nothing of it stays on the disk.

    Raises:
        UsageError: the build is not in int8.
        BuildMismatch: it is damaged.
    """
    check_int8(build)
    with TemporaryDirectory(prefix="edge-shadow-") as folder:
        place = Path(folder) / "build"
        network = onnx.load(build / NETWORK)
        name = manifests.read(build).network
        write_build(float_plan(network, name, get(TARGET), "fp32", command=""), place)
        return edge.open(place, 1)


def check_int8(build: Path) -> None:
    """Raise UsageError for a build that is not in int8, or BuildMismatch for a damaged one."""
    manifest = manifests.read_finished(build)
    if manifest.precision != "int8":
        raise UsageError(
            f"{build} is {manifest.precision}; a shadow compares an int8 build with FP32",
            "leave it out, or name an int8 build",
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


def _only_when_idle() -> None:
    """Let the calling thread run only when no other wants its core."""
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
