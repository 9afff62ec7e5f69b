"""Masks of all networks and of the absolute difference, clean and disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge.accuracy import MaskCounts, count_mask
from edge.benchmarks.accuracy.disturbances import CLEAN, DISTURBANCES, Disturbance
from edge.benchmarks.accuracy.networks import Counts, Mask, Network, measured_disturbed
from edge.benchmarks.measuring.samples import Labelled, mean_scores
from edge.benchmarks.measuring.scores import NOISE_SIGMA
from edge.benchmarks.peers.absdiff import difference
from edge.calibrate.rendering.sensor import noise
from edge.samples.sample import Image, Sample

THRESHOLDS = range(5, 105, 5)
"""Thresholds from which the absolute difference gets its best."""


class Thresholds:
    """The absolute difference at every threshold: counts[condition][threshold][sequence]."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[int, Counts]] = {}

    def add(self, condition: str, scene: str, pair: tuple[Image, Image], truth: Sample) -> None:
        levels = difference(*pair)
        by_threshold = self.counts.setdefault(condition, {t: {} for t in THRESHOLDS})
        for threshold, counts in by_threshold.items():
            add_counts(counts, scene, levels >= threshold, truth)

    def best(self) -> int:
        """The one threshold that is best for all clean sequences."""
        clean = self.counts[CLEAN.name]
        return max(clean, key=lambda threshold: f_measure(clean[threshold]) or 0.0)

    def best_of(self, scene: str) -> float | None:
        """F-measure at the threshold that is best for this sequence alone."""
        by_threshold = self.counts[CLEAN.name].values()
        scores = [f_measure({scene: counts[scene]}) for counts in by_threshold]
        return max((score for score in scores if score is not None), default=None)


def add_counts(counts: Counts, scene: str, mask: Mask, truth: Sample) -> None:
    """Add the pixels of a mask to those of its sequence."""
    counts[scene] = counts.get(scene, MaskCounts()) + count_mask(mask, truth.mask)


def f_measure(counts: Counts) -> float | None:
    """Mean F-measure over sequences; None where none has foreground."""
    return mean_scores(counts.values()).f_measure


def measure(networks: list[Network], samples: Labelled, step: Callable[[], None]) -> Thresholds:
    """Measure masks of all samples into `networks`; of some networks also under every disturbance,
    of empty scenes, and between two takes of a frame.

    Args:
        networks: Their counts are filled in.
        samples: (sequence, sample).
        step: Called after each sample of each disturbance.

    Returns:
        The absolute difference of the same samples.
    """
    plain = Thresholds()
    disturbed = measured_disturbed(networks)
    for disturbance in (CLEAN, *DISTURBANCES.values()):
        scenes: set[str] = set()
        for index, (scene, sample) in enumerate(samples):
            rng = disturbance.rng(index)
            pair = disturbance.apply(sample.bg, sample.fg_bg, rng)
            plain.add(disturbance.name, scene, pair, sample)
            asked = networks if disturbance is CLEAN else disturbed
            for name, stabilized in _ways(disturbance):
                for network in asked:
                    counts = network.counts.setdefault(name, {})
                    mask = network.mask(scene, *pair, sample.spread, stabilized)
                    add_counts(counts, scene, mask, sample)
            if disturbance is CLEAN:
                takes = [noise(sample.fg_bg, rng, NOISE_SIGMA) for _ in range(2)]
                for network in disturbed:
                    first, second = (
                        network.mask(scene, sample.bg, take, sample.spread) for take in takes
                    )
                    network.flicker.append(float((first != second).mean()))
            elif scene not in scenes:
                scenes.add(scene)
                empty = disturbance.apply(sample.bg, sample.bg, rng)
                for name, stabilized in _ways(disturbance):
                    for network in disturbed:
                        mask = network.mask(scene, *empty, sample.spread, stabilized)
                        network.empty.setdefault(name, []).append(float(mask.mean()))
            step()
    return plain


def _ways(disturbance: Disturbance) -> Iterator[tuple[str, bool]]:
    """The names under which a disturbance is measured, and whether frames are stabilized."""
    yield disturbance.name, False
    if disturbance.stabilized:
        yield disturbance.stabilized_name, True
