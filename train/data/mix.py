"""The training pictures: one endless, repeatable series drawn from several sources.

Picture number i depends on the seed and on i alone. A run that was killed goes on with the picture
that would have come next, and several processes share the series by taking every n-th.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.samples import open_samples
from edge.progress import track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Sample,
    SampleError,
    Samples,
    evenly_spaced,
    iter_readable,
    iter_samples,
)
from edge.samples.sequences import Sequences
from edge.train.augment.photometric import Pair, drawn_lightly, exposed, shaded
from edge.train.augment.photometric_batch import stacked
from edge.train.data.composites import LONGEST, Composites, populate, warped, window
from edge.train.data.cutouts import Cutout, cut

Batch = dict[str, Tensor]
"""bg, fg_bg uint8 [N, H, W, 3]; mask, counts, depth, known float32 [N, 1, H, W]. Before
train.spoil_batch.spoiled also how the pictures are to be taken."""


class Source(Protocol):
    """Anything that gives one more training picture for a generator, and how it is to be taken."""

    def draw(self, rng: Rng) -> tuple[Sample, Pair]: ...


KEPT = 2000
"""Sets of at most so many samples are kept in memory; larger ones are read as they are drawn."""


LENDING = 320
"""Frames of sequences, evenly spread, whose things composites are made of as well."""


class Crops:
    """Random parts of samples, or with `whole` all of each, at `size` x `size`.

    Kept samples without a depth get that of their empty scene from the teacher; what is new in
    them stays unknown. One that cannot be read is named on stderr and another is drawn.
    names: of all sequences, those that are left out too.
    cutouts: things of which a few are put into half of what is shown; none unless lent (`lend`).
    """

    def __init__(
        self,
        samples: Samples,
        indices: Sequence[int],
        size: int,
        teacher: DepthTeacher | None,
        *,
        whole: bool = False,
    ) -> None:
        self.size, self.whole = size, whole
        self.names = {samples.sequence(i) for i in range(len(samples))}
        self.cutouts: list[Cutout] = []
        self._samples, self._indices = samples, indices
        self._kept: list[Sample] = []
        if len(indices) <= KEPT:
            self._kept = list(_labelled(samples, indices, teacher))
            for name, reason in samples.skipped.items():
                print(f"skipped {name}: {reason}", file=sys.stderr)
        if not self._kept and len(indices) <= KEPT:
            raise SampleError(f"nothing to train on in {samples.name}")

    @property
    def recorded(self) -> bool:
        """Whether these are frames of real cameras."""
        return isinstance(self._samples, Sequences)

    def things(self) -> list[Cutout]:
        """What is new in them, cut out."""
        frames = [self._indices[i] for i in evenly_spaced(self._indices, LENDING)]
        read = iter_readable(self._samples, frames)
        watched = track(read, len(frames), f"cutting things out of {self._samples.name}")
        return [thing for sample in watched for thing in cut(sample, LONGEST)]

    def _draw_whole(self, rng: Rng) -> Sample:
        if self._kept:
            return self._kept[int(rng.integers(len(self._kept)))]
        for _ in range(100):
            try:
                return self._samples[self._indices[int(rng.integers(len(self._indices)))]]
            except SampleError as error:
                print(f"skipped: {error}", file=sys.stderr)
        raise SampleError(f"{self._samples.name}: 100 samples in a row could not be read")

    def draw(self, rng: Rng) -> tuple[Sample, Pair]:
        sample = self._draw_whole(rng)
        matrix = window(rng, sample.mask.shape, self.size, whole=self.whole)
        bg, fg_bg = (
            warped(image, matrix, self.size, cv2.INTER_LINEAR)
            for image in (sample.bg, sample.fg_bg)
        )
        mask = warped(sample.mask, matrix, self.size, cv2.INTER_NEAREST)
        depth = sample.depth
        if depth is not None:
            depth = warped(depth, matrix, self.size, cv2.INTER_NEAREST)
        if self.cutouts and rng.random() < 0.5:
            scene = fg_bg.astype(np.float32)
            populate(scene, mask, depth, self.cutouts, rng)
            fg_bg = np.clip(scene + 0.5, 0, 255).astype(np.uint8)
        if rng.random() < 0.25:
            fg_bg = shaded(fg_bg, rng)
        return Sample(sample.name, bg, fg_bg, mask, depth), drawn_lightly(rng)


def _labelled(
    samples: Samples, indices: Sequence[int], teacher: DepthTeacher | None
) -> Iterator[Sample]:
    """The samples, with the teacher's depth of their empty scene where they have none."""
    scenes: dict[str, npt.NDArray[np.float32]] = {}
    read = track(iter_samples(samples, indices), len(indices), f"reading {samples.name}")
    for scene, sample in read:
        if sample.depth is None and teacher is not None:
            if scene not in scenes:
                scenes[scene] = teacher.both_ways(sample.bg)
            unknown = np.float32(np.nan)
            depth = np.where(sample.mask == BACKGROUND, scenes[scene], unknown)
            sample = replace(sample, depth=depth)
        yield sample


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
) -> tuple[Source, float]:
    """One `--data` argument, `[composites:]PLACE[=WEIGHT]`, as a source and its weight.

    whole: of whole pictures, not of parts of them.
    """
    place, (_, _, weight) = place_of(spec), spec.partition("=")
    try:
        share = float(weight or 1)
    except ValueError:
        share = math.nan
    if not 0 <= share < math.inf:
        raise SampleError(f"--data {spec}: {weight!r} is not a weight; expected 0 or more")
    if place.startswith("composites:"):
        folder = Path(place.removeprefix("composites:"))
        return Composites(folder, size, teacher, whole=whole), share
    samples = open_samples(place)
    kept = [i for i in range(len(samples)) if samples.sequence(i) not in leave_out]
    return Crops(samples, kept, size, teacher, whole=whole), share


def lend(sources: Sequence[tuple[Source, float]]) -> None:
    """Mix what is cut out: composites also take what is new in the sequences that are trained on,
    and half of the parts of sequences that are shown take a few things more.

    What a camera recorded is in its own light, blur and compression, as studio photographs are not,
    and the frames of a sequence show few things in few places (copy-paste, Ghiasi et al. 2021).
    docs/performance.md says what that is worth.
    """
    recorded = [source for source, _ in sources if isinstance(source, Crops) and source.recorded]
    composed = [source for source, _ in sources if isinstance(source, Composites)]
    things = [thing for source in recorded for thing in source.things()]
    studio = [thing for source in composed for thing in source.cutouts]
    for crops in recorded:
        crops.cutouts = studio + things
    for composites in composed:
        composites.cutouts += things


class Mix(IterableDataset[Batch]):
    """Batches of the series, from picture `start` up to (not including) picture `end`.

    rank, world: this process takes every world-th picture of each batch.
    raw: leave photometric augmentation to the device that trains (augment.photometric_batch).
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
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

    def draw(self, index: int) -> tuple[Sample, Pair]:
        rng = np.random.default_rng([self.seed, index])
        return self.sources[int(rng.choice(len(self.sources), p=self.shares))].draw(rng)

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(0)
        worker = torch.utils.data.get_worker_info()
        if worker:
            # Pictures are made in the time that training leaves over: the threads of a layer wait
            # for the slowest of them, so one that shares its core holds up all.
            os.nice(10)
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first = self.start + number * self.batch
        for begin in range(first, self.end, workers * self.batch):
            mine = range(begin + self.rank, begin + self.batch, self.world)
            pictures = [self.draw(index) for index in mine]
            if self.raw:
                yield collate([sample for sample, _ in pictures]) | stacked(
                    [by for _, by in pictures]
                )
            else:
                yield collate([taken(*picture) for picture in pictures])


def taken(sample: Sample, by: Pair) -> Sample:
    """The sample as its camera takes it."""
    bg, fg_bg = (exposed(*one) for one in zip((sample.bg, sample.fg_bg), by, strict=True))
    return replace(sample, bg=bg, fg_bg=fg_bg)


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples of one size as a Batch."""
    masks = np.stack([sample.mask for sample in samples])[:, None]
    unknown = np.full(samples[0].mask.shape, np.nan, np.float32)
    depths = np.stack([unknown if s.depth is None else s.depth for s in samples])[:, None]
    return {
        "bg": torch.from_numpy(np.stack([sample.bg for sample in samples])),
        "fg_bg": torch.from_numpy(np.stack([sample.fg_bg for sample in samples])),
        "mask": torch.from_numpy((masks == FOREGROUND).astype(np.float32)),
        "counts": torch.from_numpy((masks != IGNORED).astype(np.float32)),
        "depth": torch.from_numpy(np.nan_to_num(depths).astype(np.float32)),
        "known": torch.from_numpy(np.isfinite(depths).astype(np.float32)),
    }
