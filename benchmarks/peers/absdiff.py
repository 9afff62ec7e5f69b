"""The absolute difference from the empty scene over a threshold: the strong simple baseline."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.benchmarks.peers.subtractor import subtractor
from edge.samples.sample import Image


def difference(bg: Image, frame: Image) -> npt.NDArray[np.uint8]:
    """Largest absolute difference of a channel, median-filtered against specks, uint8 [H, W].

    A median and a threshold commute, so one difference serves every threshold.
    """
    channels = cv2.split(cv2.absdiff(frame, bg))
    largest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    return np.asarray(cv2.medianBlur(largest, 5), np.uint8)


@subtractor("absdiff")
class AbsoluteDifference:
    """`difference` over a threshold."""

    threshold = 30

    def learn(self, bg: Image) -> None:
        self.bg = bg

    def apply(self, frame: Image) -> npt.NDArray[np.uint8]:
        levels = difference(self.bg, frame)
        mask = cv2.threshold(levels, self.threshold, 255, cv2.THRESH_BINARY)[1]
        return np.asarray(mask, np.uint8)
