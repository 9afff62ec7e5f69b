"""Masks of all networks and of the absolute difference, clean and disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edge.accuracy import MaskCounts, count_mask
from edge.benchmarks.accuracy.disturbances import CLEAN, DISTURBANCES, Disturbance
from edge.benchmarks.accuracy.networks import Counts, Mask, Network, measured_disturbed
from edge.benchmarks.accuracy.shadows import labelled_shadow
from edge.benchmarks.measuring.samples import Labelled, mean_scores
from edge.benchmarks.measuring.scores import NOISE_SIGMA
from edge.benchmarks.measuring.spread import with_spread
from edge.benchmarks.peers.absdiff import difference
from edge.calibrate.rendering.sensor import noise
from edge.samples.sample import Image, Sample

UNKNOWN = "spread unknown"
"""The condition that the network is not told the spread."""
IN_USE = "registered, without what sways"
"""The condition that masks are as `edge run` uses them."""
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


def learn_spreads(networks: list[Network], samples: Labelled) -> None:
    """Fill in the spread of each sample, learned by the network itself without labels from the
    other half of the sequence's frames; networks of two precisions share one."""
    learned: dict[tuple[str, str], list[Image | None]] = {}
    for network in networks:
        key = network.kind, network.name
        if key not in learned:
            learned[key] = [s.spread for _, s in with_spread(network.handle, samples)]
        network.spreads = learned[key]


def measure(
    networks: list[Network], samples: Labelled, sequences: Path, step: Callable[[], None]
) -> Thresholds:
    """Measure masks of all samples into `networks`; of some networks also without the spread, under
    every disturbance, of empty scenes, and between two takes of a frame.

    Args:
        networks: Their counts are filled in.
        samples: (sequence, sample).
        sequences: Their folder.
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
            shadow = labelled_shadow(sequences, sample.name) if disturbance is CLEAN else None
            for name, stabilized in _ways(disturbance):
                for network in asked:
                    counts = network.counts.setdefault(name, {})
                    mask = network.mask(scene, *pair, network.spreads[index], stabilized)
                    add_counts(counts, scene, mask, sample)
                    if shadow is not None:
                        network.shadows.append((int((mask & shadow).sum()), int(shadow.sum())))
            if disturbance is CLEAN:
                earlier = samples[index - 1] if index else None
                before = earlier[1].fg_bg if earlier and earlier[0] == scene else None
                takes = [noise(sample.fg_bg, rng, NOISE_SIGMA) for _ in range(2)]
                for network in disturbed:
                    counts = network.counts.setdefault(UNKNOWN, {})
                    add_counts(counts, scene, network.mask(scene, *pair, None), sample)
                    known = network.spreads[index]
                    used = network.mask_in_use(scene, *pair, known, before)
                    add_counts(network.counts.setdefault(IN_USE, {}), scene, used, sample)
                    first, second = (network.mask(scene, sample.bg, t, known) for t in takes)
                    network.flicker.append(float((first != second).mean()))
            elif scene not in scenes:
                scenes.add(scene)
                empty = disturbance.apply(sample.bg, sample.bg, rng)
                for name, stabilized in _ways(disturbance):
                    for network in disturbed:
                        known = network.spreads[index]
                        share = float(network.mask(scene, *empty, known, stabilized).mean())
                        network.empty.setdefault(name, []).append(share)
            step()
    return plain


def _ways(disturbance: Disturbance) -> Iterator[tuple[str, bool]]:
    """The names under which a disturbance is measured, and whether frames are stabilized."""
    yield disturbance.name, False
    if disturbance.stabilized:
        yield disturbance.stabilized_name, True
