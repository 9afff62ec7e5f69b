"""Windows of OpenCV."""

from __future__ import annotations

import cv2

from edge.errors import EdgeError
from edge.samples.sample import Image


def check_windows() -> None:
    """Open and close a window; EdgeError where this OpenCV or this machine has none."""
    try:
        cv2.namedWindow("edge")
        cv2.destroyWindow("edge")
    except cv2.error as error:
        raise EdgeError(
            "--show: this OpenCV opens no windows",
            "pip uninstall opencv-python-headless; pip install opencv-python",
        ) from error


def show_window(name: str, image: Image) -> None:
    """Show an image, uint8 [H, W, 3] BGR, in the window of that name."""
    cv2.imshow(name, image)
    cv2.waitKey(1)
