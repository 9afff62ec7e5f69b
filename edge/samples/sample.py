"""A sample and the interface of its sources: background, frame, true mask and true depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError
from edge.image import resize_image

Image = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], BGR as OpenCV delivers it."""

FOREGROUND = 255
BACKGROUND = 0
IGNORED = 170
"""Label of pixels that no loss and no metric counts (CDnet's code for `unknown`)."""


@dataclass(frozen=True)
class Sample:
    """One frame with its ground truth. All arrays have the same height and width.

    Attributes:
        name: Sequence and frame, for messages.
        bg: uint8 [H, W, 3] BGR, the background (the empty scene).
        fg_bg: uint8 [H, W, 3] BGR, the frame.
        mask: uint8 [H, W], FOREGROUND, BACKGROUND or IGNORED.
        depth: float32 [H, W], inverse depth up to scale and shift, near is large, NaN where
            unknown; None where the source has no depth. A map without a positive value becomes
            None.
        depth_is_true: The depth is measured or rendered, not predicted by a teacher network.
        spread: uint8 [H, W, 3], how far each pixel strays from `bg` while nothing new is there
            (edge.scene.spread); None where it is unknown.
    """

    name: str
    bg: Image
    fg_bg: Image
    mask: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32] | None = None
    depth_is_true: bool = False
    spread: Image | None = None

    def __post_init__(self) -> None:
        size = self.fg_bg.shape[:2]
        parts = {"bg": self.bg, "mask": self.mask, "depth": self.depth, "spread": self.spread}
        for part, value in parts.items():
            if value is not None and value.shape[:2] != size:
                raise ValueError(
                    f"sample {self.name}: {part} is {value.shape[1]}x{value.shape[0]},"
                    f" fg_bg is {size[1]}x{size[0]}"
                )
        if self.depth is not None and not (self.depth > 0).any():
            object.__setattr__(self, "depth", None)

    def inputs(self) -> dict[str, Image]:
        """The inputs of a network by name, uint8 [1, H, W, 3]; an unknown spread is 0."""
        spread = np.zeros_like(self.bg) if self.spread is None else self.spread
        images = {"bg": self.bg, "spread": spread, "fg_bg": self.fg_bg}
        return {name: image[None] for name, image in images.items()}


class SampleError(EdgeError):
    """A source of samples, or one sample of it, cannot be read."""


@runtime_checkable
class Samples(Protocol):
    """A set of samples, as calibration, measurement and training read it.

    Attributes:
        name: A short name for messages and reports.
        skipped: Samples and files that could not be read, with the reason.
    """

    name: str
    skipped: dict[str, str]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Read a sample; SampleError and an entry in `skipped` where it cannot be read."""
        ...

    def sequence(self, index: int) -> str:
        """Name the scene of a sample: scores are averaged per sequence, splits keep it whole."""
        ...

    def fingerprint(self) -> str:
        """Return a hash that changes with the images; it keys the activation ranges."""
        ...


def resize_sample(sample: Sample, height: int, width: int) -> Sample:
    """Resize a sample: images as `edge.fit` does it, mask and depth by the nearest pixel."""
    if sample.fg_bg.shape[:2] == (height, width):
        return sample
    depth = sample.depth
    if depth is not None:
        depth = np.asarray(
            cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST), np.float32
        )
    mask = cv2.resize(sample.mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return Sample(
        sample.name,
        resize_image(sample.bg, height, width),
        resize_image(sample.fg_bg, height, width),
        np.asarray(mask, np.uint8),
        depth,
        sample.depth_is_true,
        None if sample.spread is None else resize_image(sample.spread, height, width),
    )


def evenly_spaced(samples: Sized, count: int) -> list[int]:
    """Return at most `count` indices, evenly spaced over the whole set."""
    total = len(samples)
    if total <= count:
        return list(range(total))
    return [round(i * (total - 1) / max(1, count - 1)) for i in range(count)]


def iter_samples(samples: Samples, indices: Iterable[int]) -> Iterator[tuple[str, Sample]]:
    """Yield (sequence, sample) at `indices`; unreadable samples go to `skipped`."""
    for index in indices:
        try:
            yield samples.sequence(index), samples[index]
        except SampleError:
            continue


def iter_readable(samples: Samples, indices: Iterable[int]) -> Iterator[Sample]:
    """Yield the samples at `indices`; unreadable samples go to `skipped`."""
    return (sample for _, sample in iter_samples(samples, indices))
