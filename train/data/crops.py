"""Crops: random parts of labelled samples as a training source."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.labelled import MaskCheck, report_skipped
from edge.calibrate.rendering.sensor import Rng
from edge.progress import track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import (
    BACKGROUND,
    Image,
    Sample,
    SampleError,
    Samples,
    evenly_spaced,
    iter_readable,
    iter_samples,
)
from edge.samples.sequences import Sequences
from edge.train.augment.copy_paste import paste_objects
from edge.train.augment.crop import random_crop, warp
from edge.train.augment.photometric import ExposurePair, grey, random_light_exposures
from edge.train.augment.shadows import random_shadow
from edge.train.data.cutouts import MAX_SIDE, Cutout, extract_cutouts
from edge.train.data.spreads import LearnedSpreads, exposed, learned_spreads

MAX_IN_MEMORY = 2000
"""Sets of at most this many samples are kept in memory; larger ones are read when drawn."""
MAX_CUTOUT_FRAMES = 320
"""Frames of a set, evenly spaced, that objects are cut out of."""
MAX_UNREADABLE = 100
"""Unreadable samples in a row that end a run."""


class Crops:
    """Source of random crops of samples.

    Recorded sequences in memory are shown with the spread of their own frames, clean, crowded or
    unknown. Samples in memory without a depth get the teacher's depth of their background; the
    depth of foreground stays unknown. An unreadable sample is named on stderr and another one is
    drawn.

    Args:
        samples: The set.
        indices: The samples of it that are used.
        size: Side of the crops in pixels.
        teacher: Labels depth where there is none; None for no labels.
        whole: Show whole samples, not random crops.

    Attributes:
        names: All sequences of the set, whether used or left out.
        cutouts: Pasted into half of the crops; empty unless `share_cutouts` fills it.

    Raises:
        SampleError: No sample can be read.
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
        self._in_memory: list[Sample] = []
        self._spreads: dict[str, LearnedSpreads] = {}
        if len(indices) <= MAX_IN_MEMORY:
            named = list(_with_depth(samples, indices, teacher))
            self._in_memory = [sample for _, sample in named]
            if self.recorded:
                self._spreads = _spreads(named)
            report_skipped(samples.skipped)
            if not self._in_memory:
                causes = "; ".join(dict.fromkeys(samples.skipped.values()))
                raise SampleError(f"nothing to train on in {samples.name}", causes)
            masks = MaskCheck(samples.name)
            for sample in self._in_memory:
                masks.add(sample)
            masks.report()

    @property
    def recorded(self) -> bool:
        """Whether the samples are frames of real cameras."""
        return isinstance(self._samples, Sequences)

    def extract_cutouts(self) -> list[Cutout]:
        """Cut the foreground out of evenly spaced frames."""
        frames = [self._indices[i] for i in evenly_spaced(self._indices, MAX_CUTOUT_FRAMES)]
        readable = iter_readable(self._samples, frames)
        tracked = track(readable, len(frames), f"extracting cut-outs from {self._samples.name}")
        return [cutout for sample in tracked for cutout in extract_cutouts(sample, MAX_SIDE)]

    def draw(self, rng: Rng) -> tuple[Sample, ExposurePair]:
        """Draw a crop without photometric augmentation, and the exposures to apply to it."""
        sample = self._random_sample(rng)
        matrix = random_crop(rng, sample.mask.shape, self.size, whole=self.whole)
        bg, fg_bg = (
            warp(image, matrix, self.size, cv2.INTER_LINEAR) for image in (sample.bg, sample.fg_bg)
        )
        mask = warp(sample.mask, matrix, self.size, cv2.INTER_NEAREST)
        depth = sample.depth
        if depth is not None:
            depth = warp(depth, matrix, self.size, cv2.INTER_NEAREST)
        spread = self._spread(sample, rng)
        if spread is not None:
            spread = warp(spread, matrix, self.size, cv2.INTER_LINEAR)
        if self.cutouts and rng.random() < 0.5:
            scene = fg_bg.astype(np.float32)
            paste_objects(scene, mask, depth, self.cutouts, rng)
            fg_bg = np.clip(scene + 0.5, 0, 255).astype(np.uint8)
        if rng.random() < 0.25:
            fg_bg = random_shadow(fg_bg, rng)
        if rng.random() < 0.1:
            bg, fg_bg = grey(bg), grey(fg_bg)
        exposures = random_light_exposures(rng)
        if spread is not None:
            spread = exposed(spread, bg, exposures.fg_bg)
        return Sample(sample.name, bg, fg_bg, mask, depth, spread=spread), exposures

    def _spread(self, sample: Sample, rng: Rng) -> Image | None:
        """The spread that the network is told of a sample."""
        kind, learned = rng.random(), self._spreads.get(sample.name.rpartition("/")[0])
        if kind < 0.25:
            return None
        if learned is None:
            return sample.spread
        return learned.crowded if kind < 0.35 else learned.clean

    def _random_sample(self, rng: Rng) -> Sample:
        if self._in_memory:
            return self._in_memory[int(rng.integers(len(self._in_memory)))]
        for _ in range(MAX_UNREADABLE):
            try:
                return self._samples[self._indices[int(rng.integers(len(self._indices)))]]
            except SampleError as error:
                print(f"skipped: {error}", file=sys.stderr)
        raise SampleError(
            f"{self._samples.name}: {MAX_UNREADABLE} samples in a row could not be read"
        )


def _spreads(named: Sequence[tuple[str, Sample]]) -> dict[str, LearnedSpreads]:
    """The learned spreads of (sequence, sample) each, by the sequence."""
    sequences: dict[str, list[Sample]] = {}
    for sequence, sample in named:
        sequences.setdefault(sequence, []).append(sample)
    return {name: learned_spreads(samples) for name, samples in sequences.items()}


def _with_depth(
    samples: Samples, indices: Sequence[int], teacher: DepthTeacher | None
) -> Iterator[tuple[str, Sample]]:
    """(sequence, sample) each, with the teacher's depth of the background where they have none."""
    depths: dict[str, npt.NDArray[np.float32]] = {}
    tracked = track(iter_samples(samples, indices), len(indices), f"reading {samples.name}")
    for sequence, sample in tracked:
        if sample.depth is None and teacher is not None:
            if sequence not in depths:
                depths[sequence] = teacher.with_flip(sample.bg)
            unknown = np.float32(np.nan)
            depth = np.where(sample.mask == BACKGROUND, depths[sequence], unknown)
            sample = replace(sample, depth=depth)
        yield sequence, sample
