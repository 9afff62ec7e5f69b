"""What every source of pictures gives: an empty scene, a frame, and what is true of the frame."""

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
"""Label of pixels that count neither in a loss nor in a metric (CDnet's code for `unknown`)."""


@dataclass(frozen=True)
class Sample:
    """One frame with its truth. All pictures have the same height and width.

    bg:     uint8 [H, W, 3] BGR, the empty scene.
    fg_bg:  uint8 [H, W, 3] BGR, the frame.
    mask:   uint8 [H, W], FOREGROUND, BACKGROUND or IGNORED.
    depth:  float32 [H, W], inverse depth up to scale and shift, near is large, NaN where
            unknown; None where the source knows no depth, as of a map that is 0 all over.
    depth_is_true: the depth is measured or rendered, not another network's opinion.
    """

    name: str
    bg: Image
    fg_bg: Image
    mask: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32] | None = None
    depth_is_true: bool = False

    def __post_init__(self) -> None:
        size = self.fg_bg.shape[:2]
        for part, value in (("bg", self.bg), ("mask", self.mask), ("depth", self.depth)):
            if value is not None and value.shape[:2] != size:
                raise ValueError(
                    f"sample {self.name}: {part} is {value.shape[1]}x{value.shape[0]},"
                    f" fg_bg is {size[1]}x{size[0]}"
                )
        if self.depth is not None and not (self.depth > 0).any():
            object.__setattr__(self, "depth", None)


class SampleError(EdgeError):
    """A source of samples cannot be read; the message is for the user."""


@runtime_checkable
class Samples(Protocol):
    """A readable set of samples: calibrating, measuring and training all take one.

    `sequence(i)` names the scene that sample i belongs to; scores are averaged per sequence and
    splits are made between sequences, never within one.
    `skipped` names what could not be read, with the reason; a broken file never stops a run.
    `fingerprint()` changes whenever a picture may have changed (it keys the activation ranges).
    """

    name: str
    skipped: dict[str, str]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def sequence(self, index: int) -> str: ...

    def fingerprint(self) -> str: ...


def resize_sample(sample: Sample, height: int, width: int) -> Sample:
    """The sample at another size: pictures as `edge.fit` does it, labels and depth by the nearest
    pixel."""
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
    )


def evenly_spaced(samples: Sized, count: int) -> list[int]:
    """At most `count` indices, evenly spaced over the whole set."""
    total = len(samples)
    if total <= count:
        return list(range(total))
    return [round(i * (total - 1) / max(1, count - 1)) for i in range(count)]


def iter_samples(samples: Samples, indices: Iterable[int]) -> Iterator[tuple[str, Sample]]:
    """(sequence, sample) at `indices`; one that cannot be read is noted in `skipped`, left out."""
    for index in indices:
        try:
            yield samples.sequence(index), samples[index]
        except SampleError:
            continue


def iter_readable(samples: Samples, indices: Iterable[int]) -> Iterator[Sample]:
    """The samples at `indices`, without those that cannot be read."""
    return (sample for _, sample in iter_samples(samples, indices))
