"""Any picture at a build's size. Apart from the runtime, because it needs OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.runtime.handle import Handle


def fit(h: Handle, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`picture`, uint8 [H, W, 3] BGR of any size, as uint8 [h.height, h.width, 3].

    The whole picture is stretched to the build's size: mask and depth cover it edge to edge.
    Shrinking averages; a picture that fits already is returned as it is.
    """
    if picture.shape[:2] == (h.height, h.width):
        return picture
    shrinks = picture.shape[0] * picture.shape[1] > h.height * h.width
    smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (h.width, h.height), interpolation=smooth), np.uint8)
