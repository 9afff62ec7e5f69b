"""Images at a build's size. Outside the runtime, because it needs OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.runtime.handle import Handle

AnyImage = TypeVar("AnyImage", bound=npt.NDArray[np.uint8] | npt.NDArray[np.float32])

TO_UINT8 = {
    "uint16": "16 bit to 8 bit: (image >> 8).astype(np.uint8), or cv2.normalize for thermal images",
    "bool": "0 and 255: image.astype(np.uint8) * 255",
    "0..1": "0..1 to 8 bit: (image.clip(0, 1) * 255).round().astype(np.uint8)",
    "float": "it to 8 bit: image.clip(0, 255).round().astype(np.uint8)",
}
"""How an image of another type becomes uint8, by the name of its dtype or its values."""


def size_of(image: npt.NDArray[np.generic]) -> tuple[int, int]:
    """Height and width of an image or a plane."""
    height, width = image.shape[:2]
    return height, width


def fit(h: Handle, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Resize an image to a build's size.

    The whole image is stretched, so mask and depth cover it edge to edge. An image that already has
    the size is returned as it is.

    Args:
        h: An open build.
        image: uint8 [H, W, 3] BGR of any size.

    Returns:
        uint8 [h.height, h.width, 3] BGR.

    Raises:
        UsageError: The image is None, not uint8, or not [H, W, 3].
    """
    _check(image, planes=False)
    return resize_image(image, h.height, h.width)


def resize_image(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Resize an image: whole blocks of pixels are averaged, the rest is interpolated.

    cv2.INTER_AREA in one step averages as well, but takes seven times longer between sizes that do
    not divide each other, which is more than the network takes (docs/experiments.md).

    Args:
        image: uint8 [H, W, 3], or [H, W].
        height: Rows of the result.
        width: Columns of the result.

    Raises:
        UsageError: The image is None, not uint8, or of another shape.
    """
    _check(image, planes=True)
    down, across = max(1, image.shape[0] // height), max(1, image.shape[1] // width)
    if down * across > 1:
        rows, columns = image.shape[0] // down, image.shape[1] // across
        # INTER_AREA is fast for whole blocks only; less than one block is cut off at the border.
        whole = image[: rows * down, : columns * across]
        image = np.asarray(
            cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def translate(image: AnyImage, dx: float, dy: float) -> AnyImage:
    """Move an image or plane right by dx and down by dy pixels; bilinear, the border repeated."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = image.shape[1::-1]
    return cast(AnyImage, cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))


def _check(image: object, planes: bool) -> None:
    """Raise UsageError unless image is uint8 [H, W, 3], or [H, W] where planes are allowed."""
    expected = "uint8 [H, W, 3] BGR"
    if image is None:
        raise UsageError(
            f"the image is None, expected {expected}",
            "cv2.imread returns None for a file it cannot read; check the path",
        )
    if not isinstance(image, np.ndarray):
        raise UsageError(f"the image is {type(image).__name__}, expected a numpy array {expected}")
    shape, hint = image.shape, ""
    if image.dtype != np.uint8:
        kind = image.dtype.name
        if image.dtype.kind == "f":
            kind = "0..1" if not (image > 1.5).any() else "float"
        hint = f"convert {TO_UINT8.get(kind, 'it to 0..255: image.astype(np.uint8)')}"
    elif 0 in shape:
        hint = "the image has no pixels; check how it was cropped"
    elif (len(shape) == 2 and planes) or (len(shape) == 3 and shape[2] == 3):
        return
    elif len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        hint = "a grey image: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
    elif len(shape) == 3 and shape[2] == 4:
        hint = "drop the alpha channel: cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)"
    elif len(shape) == 3 and shape[0] == 3:
        hint = "move the channels to the end: image.transpose(1, 2, 0)"
    elif len(shape) == 4:
        hint = "pass one image of the batch: images[0]"
    raise UsageError(f"the image is {image.dtype} {list(shape)}, expected {expected}", hint)
