"""One thing to measure in a process of its own: it answers with latencies and with accuracy.

Two runtimes with thread pools in one process disturb each other up to tenfold, so every build and
every peer that is compared gets its own process, and one works at a time.
"""

from __future__ import annotations

import pickle
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, means
from edge.errors import EdgeError, missing
from edge.samples.sample import Sample

Labelled = list[tuple[str, Sample]]
"""(sequence, sample), the samples of a sequence one after the other."""


class Worker(Protocol):
    """What a process measures; its calls are asked for by name."""

    def describe(self) -> dict[str, Any]:
        """What it is, for the report."""


class Compared(Worker, Protocol):
    """What takes turns with others on the same frames."""

    def accuracy(self, reference: bool) -> dict[str, dict[str, float]]:
        """Scores of all samples by part, `mask` and `depth`.

        reference: this is FP32, whose depth stands for the truth where the samples have none.
        """

    def frames(self, count: int) -> dict[str, list[float]]:
        """Milliseconds of the next `count` frames, going round the samples.

        preprocess: from the native frame to what the work takes; latency: from there to the
        answer in hand; postprocess, of builds: from there to the things in the mask.
        """


class Job(Protocol):
    """What a worker is opened from, in the process that it gets.

    brief: it is there for one ratio, so enough frames for a p90 will do.
    """

    @property
    def brief(self) -> bool: ...

    def open(self) -> Worker: ...


def load_samples(file: Path) -> Labelled:
    """The pickled samples of a run, the same for each of its workers."""
    with file.open("rb") as stream:
        return list(pickle.load(stream))


def mask_scores(
    samples: Labelled, found: Callable[[int, str, Sample], npt.NDArray[np.float32] | None]
) -> dict[str, float]:
    """Scores of masks, float32 [h, w] in 0..1, at the samples' own size: pixel counts are summed
    per sequence, then the scores averaged over sequences. Empty where there are no masks.

    found: gives the mask of a sample by its index, sequence and self.
    """
    counts: dict[str, MaskCounts] = {}
    for index, (name, sample) in enumerate(samples):
        mask = found(index, name, sample)
        if mask is None:
            continue
        height, width = sample.mask.shape
        full = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        one = count_mask(np.asarray(full) >= THRESHOLD, sample.mask)
        counts[name] = counts.get(name, MaskCounts()) + one
    return means([count.scores() for count in counts.values()]) if counts else {}


def serve(link: Connection, job: Job) -> None:
    """Answer calls of the form (name, arguments) until None comes; errors travel as answers.

    The last answer, to None, is the most memory that the process held.
    """
    try:
        worker = job.open()
        link.send(worker.describe())
        while (call := link.recv()) is not None:
            name, arguments = call
            link.send(getattr(worker, name)(*arguments))
        link.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    except EdgeError as error:
        link.send(error)
    except ModuleNotFoundError as error:
        link.send(missing((error.name or "").partition(".")[0]))
    except (EOFError, KeyboardInterrupt):
        pass
