"""Any picture at a build's size. Apart from the runtime, because it needs OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edge.runtime.handle import Handle

AnyImage = TypeVar("AnyImage", bound=npt.NDArray[np.uint8] | npt.NDArray[np.float32])


def fit(h: Handle, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`picture`, uint8 [H, W, 3] BGR of any size, as uint8 [h.height, h.width, 3].

    The whole picture is stretched to the build's size: mask and depth cover it edge to edge.
    A picture that fits already is returned as it is.
    """
    return resize_image(picture, h.height, h.width)


def resize_image(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture at another size: whole blocks of pixels are averaged, the rest is interpolated.

    One step by area would average as well, but at sizes that do not divide each other OpenCV does
    that seven times slower, and a camera's picture would cost more than the network
    (docs/performance.md).
    """
    down, across = max(1, picture.shape[0] // height), max(1, picture.shape[1] // width)
    if down * across > 1:
        rows, columns = picture.shape[0] // down, picture.shape[1] // across
        # Only whole blocks are averaged quickly; the rim loses less than one of them.
        whole = picture[: rows * down, : columns * across]
        picture = np.asarray(
            cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
    )


def translate(image: AnyImage, dx: float, dy: float) -> AnyImage:
    """A picture or plane moved right by dx and down by dy pixels, its border repeated; bilinear."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = image.shape[1::-1]
    return cast(AnyImage, cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))
