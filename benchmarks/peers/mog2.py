"""OpenCV's MOG2 (Zivkovic 2004)."""

from __future__ import annotations

import cv2

from edge.benchmarks.peers.subtractor import Adaptive, subtractor


@subtractor("mog2")
def mog2() -> Adaptive:
    return Adaptive(cv2.createBackgroundSubtractorMOG2)
