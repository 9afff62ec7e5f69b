"""OpenCV's KNN (Zivkovic and van der Heijden 2006)."""

from __future__ import annotations

import cv2

from edge.benchmarks.peers.subtractor import Adaptive, subtractor


@subtractor("knn")
def knn() -> Adaptive:
    return Adaptive(cv2.createBackgroundSubtractorKNN)
