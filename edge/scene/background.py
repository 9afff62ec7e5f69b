"""The empty scene, from frames through which people walk."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edge.camera.camera import Camera, CameraError, Frame, open_reader, shown
from edge.samples.sample import Image

RECORDED_S, LIVE_S = 60.0, 10.0
"""Seconds of a recording and of a live source that are looked at."""
LEAST, MOST = 9, 61
"""Pictures that the median is taken of."""
BYTES = 400_000_000
"""Of pictures that are held at once."""
REST = 0.6
"""Share of the pictures, those in which least moves, that the median is taken of."""


def empty_scene(pictures: Sequence[Image]) -> Image:
    """The temporal median of the quieter pictures, uint8 [H, W, 3] BGR, all of one size.

    A pixel is right if what moves covers it in less than half of them. Someone who does not move
    at all belongs to the scene.
    """
    if not pictures:
        raise CameraError("no picture to make a background of")
    if len(sizes := {picture.shape for picture in pictures}) > 1:
        found = ", ".join(sorted(f"{width}x{height}" for height, width, _ in sizes))
        raise CameraError(f"the pictures have several sizes ({found}), expected one")
    order = np.argsort(_motion(pictures), kind="stable")
    quiet = order[: max(min(LEAST, len(pictures)), round(REST * len(pictures)))]
    out = np.empty_like(pictures[0])
    rows = 64
    for top in range(0, out.shape[0], rows):
        strip = np.stack([pictures[i][top : top + rows] for i in quiet])
        out[top : top + rows] = np.median(strip, axis=0).round()
    return out


def _motion(pictures: Sequence[Image]) -> list[float]:
    """How much each picture differs from its neighbours: share of an eighth of its pixels."""
    small = [
        cv2.cvtColor(cv2.resize(p, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA),
                     cv2.COLOR_BGR2GRAY).astype(np.int16)
        for p in pictures
    ]  # fmt: skip
    steps = [float((np.abs(a - b) > 12).mean()) for a, b in itertools.pairwise(small)]
    padded = [*steps[:1], *steps, *steps[-1:]]
    return [a + b for a, b in itertools.pairwise(padded)] or [0.0]


def gathered(url: str, seconds: float | None = None) -> Iterator[Image]:
    """Pictures of the first `seconds` of a source, evenly spread, as many as fit into memory.

    A recording is read as fast as it can be, a live source in its own time.
    """
    with Camera(url) as camera:
        if camera.live:
            yield from _of_live(camera, seconds or LIVE_S)
            return
    yield from _of_recording(url, seconds or RECORDED_S)


def _count(picture: Image) -> int:
    return max(LEAST, min(MOST, BYTES // picture.nbytes))


def _of_live(camera: Camera, seconds: float) -> Iterator[Image]:
    end, due, every = time.monotonic() + seconds, 0.0, 0.0
    while (now := time.monotonic()) < end:
        camera.wake.wait(end - now)
        camera.wake.clear()
        item = camera.take()
        if isinstance(item, Frame) and item.arrived >= due:
            every = every or seconds / _count(item.picture)
            due = item.arrived + every
            yield item.picture


def _of_recording(url: str, seconds: float) -> Iterator[Image]:
    reader = open_reader(url)
    try:
        first = reader.read()
        if first is None:
            raise CameraError(f"no picture in {shown(url)}")
        yield first[0]
        # Without a frame rate (a folder of pictures) every picture is a second.
        total = max(1, round(seconds * (reader.fps or 1)))
        count = min(total, _count(first[0]))
        places = (number * total // count for number in range(count))
        for here, there in itertools.pairwise(places):
            if not all(reader.skip() for _ in range(there - here - 1)):
                return
            found = reader.read()
            if found is None:
                return
            yield found[0]
    finally:
        reader.close()
