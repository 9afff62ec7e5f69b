"""Two builds of a network in one process: their scores, and their times in interleaved rounds.

    python -m edge.benchmarks.instruction_sets.measure FP32 INT8 SEQUENCES FRAMES

prints a Measured as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np

import edge
from edge.accuracy import THRESHOLD, MaskCounts, count_mask
from edge.calibrate.samples import open_samples
from edge.interleave import interleave
from edge.samples.sample import Image, evenly_spaced, resize_sample

ROUNDS, REPEAT = 20, 10


@dataclass(frozen=True)
class Measured:
    """ms: median milliseconds of CPU time of FP32 and INT8; ratio: median of the rounds' ratios;
    ious: by sequence, of FP32 and INT8; samples: their number."""

    ms: tuple[float, float]
    ratio: float
    ious: dict[str, tuple[float, float]]
    samples: int

    @property
    def means(self) -> tuple[float, float]:
        """Mean IoU of FP32 and of INT8."""
        first, second = np.mean(list(self.ious.values()), axis=0)
        return float(first), float(second)

    @property
    def worst(self) -> tuple[str, float]:
        """The sequence on which INT8 loses most, and how much."""
        drops = {name: fp32 - int8 for name, (fp32, int8) in self.ious.items()}
        name = max(drops, key=lambda name: drops[name])
        return name, drops[name]


def by_sequence(names: Sequence[str], frames: int) -> list[int]:
    """Indices of at most `frames` evenly spaced samples of each sequence, in their order."""
    scenes: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        scenes.setdefault(name, []).append(index)
    return [own[i] for own in scenes.values() for i in evenly_spaced(own, frames)]


def measure(builds: Sequence[Path], sequences: str, frames: int) -> Measured:
    """Measure an FP32 and an INT8 build on labelled sequences, on one thread."""
    source = open_samples(sequences)
    chosen = by_sequence([source.sequence(i) for i in range(len(source))], frames)
    handles = [edge.open(build, 1) for build in builds]
    counts: list[dict[str, MaskCounts]] = [{} for _ in handles]
    shown = ""
    for index in chosen:
        name, sample = source.sequence(index), source[index]
        fitted = resize_sample(sample, handles[0].height, handles[0].width)
        frame = fitted.fg_bg
        for h, own in zip(handles, counts, strict=True):
            if name != shown:
                edge.set_background(h, fitted.bg, fitted.spread)
            mask = edge.infer(h, frame)[0]
            assert mask is not None
            full = np.asarray(cv2.resize(mask, sample.mask.shape[::-1]))
            own[name] = own.get(name, MaskCounts()) + count_mask(full >= THRESHOLD, sample.mask)
        shown = name
    first, second = interleave([_timed(h, frame) for h in handles], ROUNDS)
    for h in handles:
        edge.close(h)
    scores = [{name: c.scores()["iou"] for name, c in own.items() if c.defined} for own in counts]
    return Measured(
        (median(first), median(second)),
        median(a / b for a, b in zip(first, second, strict=True)),
        {name: (scores[0][name], scores[1].get(name, 0.0)) for name in scores[0]},
        len(chosen),
    )


def _timed(h: edge.Handle, frame: Image) -> Callable[[], float]:
    """A round: milliseconds of CPU time per frame, which other processes do not lengthen by taking
    the core away."""

    def run() -> float:
        start = time.process_time()
        for _ in range(REPEAT):
            edge.infer(h, frame)
        return 1e3 * (time.process_time() - start) / REPEAT

    return run


if __name__ == "__main__":
    fp32, int8, place, number = sys.argv[1:]
    print(json.dumps(asdict(measure([Path(fp32), Path(int8)], place, int(number)))))
