"""Clips: what happened before and after an event, as a small video that browsers play.

VP8 in WebM: every browser plays it, its encoder libvpx is BSD, and a file that a killed process
left plays as far as it goes. H.264 would need libx264 (GPL) or libopenh264 (not in PyAV's wheels);
MPEG-4 and MJPEG no browser plays.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.video import Video
from edge.image import resize_image, size_of
from edge.loop.overlay import redacted
from edge.loop.pipeline import FrameResult
from edge.runtime.backend import Plane
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.sinks.snapshots import jpeg
from edge.sinks.store import Store

WIDTH = 640
"""Pixels of a clip's width at most."""
CLIP_FPS = 5.0
"""Frames of a clip for each second."""
PRE_S, POST_S = 5.0, 5.0
"""Seconds before the first and after the last event of a clip."""
MOST_S = 60.0
"""Seconds after which an event begins another clip."""
GAP_S = 10.0
"""Seconds without a frame after which a clip ends."""
QUALITY = 85
"""Of the JPEG in which frames wait for an event, 0 to 100."""


@dataclass(frozen=True)
class Picture:
    """A small frame, and what is needed to redact it should it ever be written.

    Attributes:
        at: seconds.
        data: JPEG of uint8 [H, W, 3] BGR.
        mask: uint8 [h, w], by which people are hidden.
        background: of the frame's full size.
        offset: from the background in pixels of the build, as of FrameResult.
    """

    at: float
    data: bytes
    mask: Plane
    background: Background
    offset: tuple[float, float]

    @classmethod
    def of(cls, result: FrameResult, at: float) -> Picture:
        """The picture of a frame."""
        mask = result.private
        if mask.dtype != np.uint8:
            mask = (255 * mask).astype(np.uint8)
        data = jpeg(small(result.frame.image), QUALITY)
        return cls(at, data, mask, result.background, result.offset or (0.0, 0.0))

    @property
    def image(self) -> Image:
        """uint8 [H, W, 3] BGR."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.data, np.uint8), 1), np.uint8)


class ClipWriter:
    """The clips of one camera.

    Args:
        store: gets them.
        redact: as of edge.loop.overlay.redacted, or None.
    """

    def __init__(self, store: Store, redact: str | None) -> None:
        self._store, self._redact = store, redact
        self._before: deque[Picture] = deque()
        self._video: Video | None = None
        self._name, self._begin, self._until = "", 0.0, 0.0
        self._last = time.monotonic()
        self._scene: tuple[Background, Background] | None = None

    def add(self, picture: Picture, clip: str | None, until: float) -> None:
        """Take a picture.

        Args:
            picture: later than the one before.
            clip: name of the clip that is wanted now, or None.
            until: time of the picture that is its last.
        """
        self._last = time.monotonic()
        if self._before and picture.at < self._before[-1].at:
            self._before.clear()  # the source began again
        if self._video is not None and clip != self._name:
            self.close()
        if clip is None:
            self._before.append(picture)
            while picture.at - self._before[0].at > PRE_S:
                self._before.popleft()
            return
        self._until = until
        if self._video is None and clip != self._name:
            self._name, self._begin = clip, (self._before[0] if self._before else picture).at
            size = size_of(small(picture.image))
            self._video = Video(self._store.draft(".webm"), size, CLIP_FPS)
            while self._before:
                self._write(self._before.popleft())
        self._write(picture)

    def idle(self) -> None:
        """End a clip whose camera gives no frames any more."""
        if self._video is not None and time.monotonic() - self._last > GAP_S:
            self.close()

    def close(self) -> None:
        """End the clip, if there is one."""
        if self._video is None:
            return
        video, self._video = self._video, None
        try:
            video.close()
        except BaseException:
            self._store.drop(video.path)
            raise
        self._store.publish(video.path, self._name)

    def _write(self, picture: Picture) -> None:
        """Write a picture; an error gives the clip up."""
        if self._video is None:
            return  # it was given up
        image = picture.image
        if self._redact is not None:
            scene = self._small_scene(picture.background, image)
            height, width = image.shape[:2]
            rows, columns = picture.mask.shape
            dx, dy = picture.offset
            offset = dx * width / columns, dy * height / rows
            image = redacted(image, picture.mask, self._redact, scene, offset)
        try:
            self._video.write(image, picture.at - self._begin)
        except BaseException:
            video, self._video = self._video, None
            self._store.drop(video.path)
            raise

    def _small_scene(self, background: Background, image: Image) -> Background:
        """The background at the size of a clip."""
        if self._scene is None or self._scene[0] is not background:
            height, width = image.shape[:2]
            confidence: npt.NDArray[np.uint8] = background.confidence
            if confidence.shape != (height, width):
                # The least of each area: an unsure part stays unsure.
                reach = max(1, round(confidence.shape[1] / width))
                confidence = np.asarray(cv2.erode(confidence, np.ones((reach, reach))), np.uint8)
                confidence = resize_image(confidence, height, width)
            small_one = Background(resize_image(background.image, height, width), confidence)
            self._scene = background, small_one
        return self._scene[1]


def small(image: Image) -> Image:
    """An image at most WIDTH wide, with even sides."""
    height, width = image.shape[:2]
    wide = min(width, WIDTH)
    return resize_image(image, max(2, round(height * wide / width / 2) * 2), max(2, wide // 2 * 2))
