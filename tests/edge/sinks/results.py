"""Results of frames for the tests of pictures: a block that walks over a grey scene."""

from __future__ import annotations

import numpy as np

from edge.camera.source import Frame
from edge.loop.pipeline import FrameResult
from edge.scene.background import Background, certain

HEIGHT, WIDTH = 96, 160
SCENE: Background = certain(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
PERSON = (20, 60, 240)
"""BGR of the block: nothing else in a frame is red."""


def result(number: int, at: float, left: int = 40, arrived: float | None = None) -> FrameResult:
    """The result of a frame with a block of 40 x 20 pixels, as a build of 48 x 80 sees it."""
    image = SCENE.image.copy()
    image[30:70, left : left + 20] = PERSON
    mask = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    mask[15:35, left // 2 : left // 2 + 10] = 255
    return FrameResult(
        frame=Frame(image, number, at, at if arrived is None else arrived),
        mask=mask,
        depth=None,
        foreground=0.05,
        things=[],
        offset=None,
        background=SCENE,
        fits=True,
        events=[],
        busy_ms=1.0,
        latency_ms=2.0,
    )


def redness(image: np.ndarray) -> int:
    """Pixels that are as red as the block."""
    blue, _, red = (image[..., channel].astype(int) for channel in range(3))
    return int((red - blue > 120).sum())
