"""Whether a background still fits, or the camera was moved, covered or defocused."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.image import resize_image
from edge.samples.sample import Image

Floats = npt.NDArray[np.float32]

SIDE = 160
"""Longer side of the reduced images that are compared."""
REGISTERED = 4 / 224
"""Offset, as a share of the shorter side, that registration makes up for (edge.scene.stabilize)."""
FITS, FITS_SHIFTED = 0.5, 0.4
"""Fit of the edges with those of the background (`_fit`) from which a frame fits."""
TILE, COVERED_SHARE = 24, 0.75
"""Side of the tiles that are compared, and share of them that objects may cover."""
FLAT = 1e-6
"""Variance of a tile below which there is nothing in it but rounding."""
SAME_LIGHT = 0.4
"""Fit of the brightness below which the light is another one (infrared, negative)."""
COVERED_EDGES, COVERED_CONTRAST = 0.3, 0.4
"""Shares of the background's edges and contrast below which the lens is covered."""
SURE = 0.95
"""Fit of the edges above which no offset is looked for."""
BLURRED = 0.75
"""Share of the background's edges below which a frame may be defocused."""
GREY = 0.2
"""Share of the background's colour below which a frame is colourless, as in infrared light."""
COLOURFUL = 12.0
"""Mean distance of a background's channels from grey from which colour can be missed."""
HOLD_S = 2.0
"""Seconds for which a state has to last before it is reported."""

OK = "ok"
MOVED, COVERED, DEFOCUSED, CHANGED = "camera_moved", "covered", "defocused", "scene_changed"
TEXTS = {
    OK: "fits its background again",
    MOVED: "was moved, its background no longer fits; make a new one: it is off",
    COVERED: "is covered or looks at something close",
    DEFOCUSED: "is out of focus",
    CHANGED: "shows another scene or another light than its background; make a new one",
}


@dataclass(frozen=True)
class State:
    """kind: OK or one of the four; offset: of a camera that was moved, in pixels of the frame to
    the right and down."""

    kind: str
    offset: tuple[float, float] | None = None


class _View:
    """What is compared of an image."""

    def __init__(self, image: Image) -> None:
        height, width = image.shape[:2]
        scale = min(1.0, SIDE / max(height, width))
        small = resize_image(image, max(16, round(height * scale)), max(16, round(width * scale)))
        self.grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
        self.edges = _edges(self.grey)
        self.colour = float((small.max(2).astype(np.int16) - small.min(2)).mean())


def _edges(grey: Floats) -> Floats:
    x, y = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    return np.asarray(np.sqrt(x * x + y * y), np.float32)


def _fit(plane: Floats, bg: Floats) -> float:
    """How well a plane fits that of the background, -1 to 1.

    Pearson's correlation of each tile; of these the COVERED_SHARE quantile, weighted by the tile's
    contrast in the background: a person or a lorry in front takes some tiles, another scene all.
    """
    starts = [_starts(side) for side in bg.shape]

    def sums(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Of each tile."""
        rows = np.add.reduceat(values, starts[0], 0, np.float64)
        return np.add.reduceat(rows, starts[1], 1).ravel()

    pixels = sums(np.ones_like(bg))

    def covariance(a: Floats, b: Floats) -> npt.NDArray[np.float64]:
        found = sums(a.astype(np.float64) * b) / pixels - sums(a) * sums(b) / pixels**2
        return np.asarray(np.where(np.abs(found) < FLAT, 0, found))

    variance = covariance(bg, bg)
    norm = np.sqrt(covariance(plane, plane) * variance)
    correlations = covariance(plane, bg) / np.where(norm > 0, norm, np.inf)
    weights = np.sqrt(variance)
    if not weights.any():
        return 0.0
    # One strong edge is not the whole scene.
    weights = np.minimum(weights, 2 * np.median(weights) + 1e-3)
    order = correlations.argsort()
    shares = weights[order].cumsum() / weights.sum()
    return float(correlations[order][np.searchsorted(shares, COVERED_SHARE)])


def _starts(side: int) -> list[int]:
    """Where the tiles begin along a side."""
    count = max(1, round(side / TILE))
    return [side * i // count for i in range(count)]


class SceneCheck:
    """Compares frames with a background, uint8 [H, W, 3] BGR."""

    def __init__(self, bg: Image) -> None:
        self._shape = bg.shape[:2]
        self._bg = _View(bg)
        self._state = State(OK)
        self._candidate: State | None = None
        self._since = 0.0

    def update(self, image: Image, at: float) -> State | None:
        """Look at a frame.

        Args:
            image: uint8 [H, W, 3] BGR of the background's size.
            at: its time in seconds, never going back.

        Returns:
            A state that has lasted for HOLD_S and differs from the one reported before, else None.
        """
        state = self.look_at(image)
        if self._candidate is None or state.kind != self._candidate.kind:
            self._candidate, self._since = state, at
        if state.kind == self._state.kind or at - self._since < HOLD_S:
            return None
        self._state = state
        return state

    @property
    def seen(self) -> State:
        """What the last frame showed, reported or not."""
        return self._candidate or self._state

    @property
    def reported(self) -> State:
        """What was reported last."""
        return self._state

    @property
    def fits(self) -> bool:
        """Whether the last frames fit the background, reported or not."""
        return self._state.kind == OK and self.seen.kind == OK

    def same_view(self, image: Image) -> bool:
        """Whether the camera stands where it stood, in whatever light: of all offsets the edges
        fit best where they are. Those of another view fit there by a chance of 1 in 1000."""
        offset, _ = self._shift(_View(image))
        return bool(max(map(abs, offset)) <= REGISTERED * min(self._bg.grey.shape))

    def look_at(self, image: Image) -> State:
        """The state of one frame."""
        frame, bg = _View(image), self._bg
        texture = float(frame.edges.mean() / max(bg.edges.mean(), 1e-3))
        contrast = float(frame.grey.std() / max(bg.grey.std(), 1e-3))
        if texture < COVERED_EDGES and contrast < COVERED_CONTRAST:
            return State(COVERED)
        if bg.colour > COLOURFUL and frame.colour < GREY * bg.colour:
            return State(CHANGED)
        fit = _fit(frame.edges, bg.edges)
        if texture < BLURRED and self._blurred_fit(frame) > max(fit + 0.05, FITS):
            return State(DEFOCUSED)
        if fit < SURE:
            offset, shifted_fit = self._shift(frame)
            if shifted_fit >= max(FITS_SHIFTED, fit + 0.15):
                if max(map(abs, offset)) <= REGISTERED * min(bg.grey.shape):
                    return State(OK)
                scale = self._shape[1] / bg.grey.shape[1]
                return State(MOVED, (offset[0] * scale, offset[1] * scale))
        if fit < FITS or _fit(frame.grey, bg.grey) < SAME_LIGHT:
            return State(CHANGED)
        return State(OK)

    def _shift(self, frame: _View) -> tuple[tuple[float, float], float]:
        """The offset of a frame by phase correlation of the edges, and how well it then fits."""
        window = cv2.createHanningWindow(frame.edges.shape[::-1], cv2.CV_32F)
        # OpenCV multiplies its inputs by the window in place.
        planes = self._bg.edges.copy(), frame.edges.copy()
        (dx, dy), _ = cv2.phaseCorrelate(*planes, window)
        height, width = frame.edges.shape
        x, y = round(dx), round(dy)
        if abs(x) >= width // 2 or abs(y) >= height // 2:
            return (dx, dy), 0.0
        # The parts of both that show the same.
        here = frame.edges[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
        there = self._bg.edges[max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)]
        return (dx, dy), _fit(here, there)

    def _blurred_fit(self, frame: _View) -> float:
        """How well the edges of a blurred background fit, at the best blur."""
        blurred = (cv2.GaussianBlur(self._bg.grey, (0, 0), sigma) for sigma in (1.5, 3.0, 6.0))
        return max(_fit(frame.edges, _edges(np.asarray(grey, np.float32))) for grey in blurred)
