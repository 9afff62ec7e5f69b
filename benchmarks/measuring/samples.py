"""The samples of a run: read once, pickled, and loaded by every process."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, mean_mask_scores, tells_depth
from edge.benchmarks.measuring.process import Progress
from edge.benchmarks.reporting.report import MaskScores, SampleSet
from edge.calibrate.labelled import nothing_read
from edge.calibrate.samples import open_samples
from edge.samples.sample import FOREGROUND, Image, Sample, evenly_spaced, iter_samples

Labelled = list[tuple[str, Sample]]
"""(sequence, sample), the samples of a sequence one after the other."""
DECODED = 32
"""Frames whose decoding is timed."""


def load_samples(file: Path) -> Labelled:
    """Load the pickled samples of a run."""
    with file.open("rb") as stream:
        return list(pickle.load(stream))


def keep_samples(place: str, count: int, file: Path, progress: Progress) -> SampleSet:
    """Read at most `count` samples of `place`, evenly spaced, into `file` and describe them."""
    source = open_samples(place)
    chosen = evenly_spaced(source, count)
    kept: Labelled = []
    for pair in iter_samples(source, chosen):
        kept.append(pair)
        progress("samples", len(kept), len(chosen))
    if not kept:
        raise nothing_read(source)
    with file.open("wb") as stream:
        pickle.dump(kept, stream)
    return SampleSet(
        name=source.name,
        place=place,
        count=len(kept),
        sequences=len({name for name, _ in kept}),
        with_foreground=sum(bool((sample.mask == FOREGROUND).any()) for _, sample in kept),
        skipped=source.skipped,
        depth="truth" if have_depth(kept) else "fp32",
        decode_ms=_decode_ms([sample.fg_bg for _, sample in kept[:DECODED]]),
        sha256=source.fingerprint(),
    )


def have_depth(samples: Labelled) -> bool:
    """Whether depth is scored against the samples' own: those without one are left out then."""
    return any(sample.depth is not None and tells_depth(sample.depth) for _, sample in samples)


def _decode_ms(images: Sequence[Image]) -> float:
    """Median milliseconds of decoding a frame's JPEG of quality 90, as from a camera that sends
    MJPEG; on one thread."""
    times = []
    for image in images:
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        start = time.perf_counter()
        cv2.imdecode(data, cv2.IMREAD_COLOR)
        times.append(1e3 * (time.perf_counter() - start))
    return round(median(times), 4)


def mean_scores(counts: Iterable[MaskCounts]) -> MaskScores:
    """Mean scores over the sequences with foreground in labels or mask; None where none has."""
    mean = mean_mask_scores(counts)
    if mean is None:
        return MaskScores(None, None, None, None)
    return MaskScores(mean["iou"], mean["f_measure"], mean["precision"], mean["recall"])


def score_masks(
    samples: Labelled, mask_of: Callable[[int, str, Sample], npt.NDArray[np.float32] | None]
) -> MaskScores | None:
    """Score masks at the samples' own size: pixel counts are summed per sequence, then the scores
    averaged over sequences.

    Args:
        samples: (sequence, sample).
        mask_of: Returns a sample's mask, float32 [h, w] in 0..1, by index, sequence and sample.

    Returns:
        The scores; None where there is no mask.
    """
    counts: dict[str, MaskCounts] = {}
    for index, (name, sample) in enumerate(samples):
        mask = mask_of(index, name, sample)
        if mask is None:
            continue
        height, width = sample.mask.shape
        full = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        count = count_mask(np.asarray(full) >= THRESHOLD, sample.mask)
        counts[name] = counts.get(name, MaskCounts()) + count
    return mean_scores(counts.values()) if counts else None
