"""The training series: one endless, repeatable series of images drawn from several sources.

Image i depends on the seed and on i alone, so a killed run resumes with the image that would have
come next, and several processes share the series by taking every n-th image.

Workers send each batch through the pipe as pickled numpy arrays, and the main process makes tensors
of them. Tensors would travel as file descriptors through Python's resource sharer, a thread that a
worker forked beside running threads may lack; its parent then waits for ever.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.samples import open_samples
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.rgbd import Rgbd
from edge.samples.sample import FOREGROUND, IGNORED, Sample, SampleError
from edge.train.augment.photometric import ExposurePair, augment_sample
from edge.train.augment.photometric_batch import stack_exposures
from edge.train.data.composites import Composites
from edge.train.data.crops import Crops
from edge.train.data.scenes import Scenes
from edge.train.data.weights import pixel_weights
from edge.train.semaphores import check_semaphores

Batch = dict[str, Tensor]
"""bg, fg_bg, spread uint8 [N, H, W, 3]; mask, counts, depth, known float32 [N, 1, H, W]. Of `Mix`,
`counts` are the weights of `pixel_weights`, else 1 and 0. Before `augment_batch` also the fields of
`stack_exposures`."""
Arrays = dict[str, npt.NDArray[np.generic]]
"""A batch as workers send it: the same keys, with mask and known as bool, `counts` too where it has
no weights."""
PREFETCH = 4
"""Batches that each worker makes ahead."""
PARENT_CHECK_S = 1.0
"""Seconds between two checks of a worker that its parent is alive."""


class Source(Protocol):
    """Anything that draws a training sample and the exposures to apply to it."""

    def draw(self, rng: Rng) -> tuple[Sample, ExposurePair]: ...


WeightedSource = tuple[Source, float]


def place_of(spec: str) -> str:
    """The PLACE of a `--data` argument."""
    return spec.partition("=")[0]


def open_source(
    spec: str,
    size: int,
    teacher: DepthTeacher | None,
    leave_out: Sequence[str],
    *,
    whole: bool = False,
) -> WeightedSource:
    """Open one `--data` argument.

    Args:
        spec: `[composites:]PLACE[=WEIGHT]`.
        size: Side of the training images in pixels.
        teacher: Labels depth where there is none; None for no labels.
        leave_out: Names of sequences that are not used.
        whole: Show whole images, not random crops.

    Returns:
        The source and its weight.

    Raises:
        SampleError: The weight is not a number from 0, or the place holds nothing to train on.
    """
    place, (_, _, text) = place_of(spec), spec.partition("=")
    try:
        weight = float(text or 1)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise SampleError(f"--data {spec}: {text!r} is not a weight; expected 0 or more")
    if place.startswith("composites:"):
        folder = Path(place.removeprefix("composites:"))
        return Composites(folder, size, teacher, whole=whole), weight
    samples = open_samples(place)
    used = [i for i in range(len(samples)) if samples.sequence(i) not in leave_out]
    if whole and isinstance(samples, Rgbd):
        return Scenes(samples, used, size), weight
    return Crops(samples, used, size, teacher, whole=whole), weight


def share_cutouts(sources: Sequence[WeightedSource]) -> None:
    """Share cut-outs between sources, for copy-paste augmentation (Ghiasi et al. 2021).

    Composites also use the foreground of the sequences in `sources`, and half of the crops of
    sequences get objects pasted in. Foreground that a camera recorded has the camera's light, blur
    and compression, unlike studio photographs; the frames of one sequence show few objects in few
    places. docs/experiments.md gives the gain.

    Args:
        sources: Changed in place.
    """
    recorded = [source for source, _ in sources if isinstance(source, Crops) and source.recorded]
    composed = [source for source, _ in sources if isinstance(source, Composites)]
    from_frames = [cutout for source in recorded for cutout in source.extract_cutouts()]
    from_files = [cutout for source in composed for cutout in source.cutouts]
    for crops in recorded:
        crops.cutouts = from_files + from_frames
    for composites in composed:
        composites.cutouts += from_frames


class Mix(IterableDataset[Arrays]):
    """Batches of the series as arrays; `batches` gives them as tensors.

    Args:
        sources: Sources with their weights.
        seed: Seed of the series.
        start: First image.
        end: Image after the last one.
        batch: Images per batch over all processes.
        rank: This process's number; it takes every world-th image of each batch.
        world: Number of processes.
        raw: Leave photometric augmentation to the training device (`augment_batch`).
    """

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        *,
        seed: int,
        start: int,
        end: int,
        batch: int,
        rank: int = 0,
        world: int = 1,
        raw: bool = False,
    ) -> None:
        self.sources = [source for source, _ in sources]
        weights = np.array([weight for _, weight in sources])
        self.shares = weights / weights.sum()
        self.seed, self.start, self.end, self.batch = seed, start, end, batch
        self.rank, self.world, self.raw = rank, world, raw

    def draw(self, index: int) -> tuple[Sample, ExposurePair]:
        """Draw image number `index` of the series."""
        rng = np.random.default_rng([self.seed, index])
        return self.sources[int(rng.choice(len(self.sources), p=self.shares))].draw(rng)

    def __iter__(self) -> Iterator[Arrays]:
        cv2.setNumThreads(0)
        worker = torch.utils.data.get_worker_info()
        if worker:
            # Workers take the time that training leaves: the threads of a layer wait for the
            # slowest one, so a worker that shares its core delays all of them.
            os.nice(10)
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first = self.start + number * self.batch
        for begin in range(first, self.end, workers * self.batch):
            indices = range(begin + self.rank, begin + self.batch, self.world)
            drawn = [self.draw(index) for index in indices]
            # Before the light is augmented, which would hide what is darker than `bg`.
            counts = np.stack([pixel_weights(sample) for sample, _ in drawn])[:, None]
            if self.raw:
                arrays = stack_samples([sample for sample, _ in drawn])
                arrays |= stack_exposures([pair for _, pair in drawn])
            else:
                arrays = stack_samples([augment_sample(*each) for each in drawn])
            yield arrays | {"counts": counts}


def stack_samples(samples: Sequence[Sample]) -> Arrays:
    """Stack samples of one size as the arrays of a batch."""
    inputs = [sample.inputs() for sample in samples]
    masks = np.stack([sample.mask for sample in samples])[:, None]
    unknown = np.full(samples[0].mask.shape, np.nan, np.float32)
    depths = np.stack([unknown if s.depth is None else s.depth for s in samples])[:, None]
    return {
        **{name: np.concatenate([given[name] for given in inputs]) for name in inputs[0]},
        "mask": masks == FOREGROUND,
        "counts": masks != IGNORED,
        "depth": np.nan_to_num(depths).astype(np.float32),
        "known": np.isfinite(depths),
    }


def to_tensors(arrays: Arrays) -> Batch:
    """Convert the arrays of a batch to tensors; bool becomes float32."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {
        name: tensor.float() if tensor.dtype == torch.bool else tensor
        for name, tensor in tensors.items()
    }


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one size as a batch of tensors."""
    return to_tensors(stack_samples(samples))


def batches(mix: Mix, workers: int = 0) -> Iterator[Batch]:
    """Iterate over a series as tensors.

    Args:
        mix: The series.
        workers: Processes that make images; 0 makes them in this one.

    Raises:
        EdgeError: No processes can be started.
    """
    if not workers:
        yield from map(to_tensors, mix)
        return
    check_semaphores("make the images in this process: --workers 0")
    loader: DataLoader[Arrays] = DataLoader(
        mix,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=PREFETCH,
        collate_fn=_unchanged,  # torch's own would make tensors in the worker
        worker_init_fn=partial(_follow_parent, os.getpid()),
    )
    yield from map(to_tensors, loader)


def _unchanged(arrays: Any) -> Any:
    return arrays


def _follow_parent(parent: int, worker: int) -> None:
    """End this worker with its parent: when that ends it, or was killed.

    SIGTERM often goes to all processes of a run; a worker that took it would be an error of the
    parent, which ends the run after its step. A batch is larger than the pipe: without its reader
    the worker would wait at its exit, for ever, for the thread that writes it.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
