"""The tables of docs/accuracy.md, and accuracy.json, from which the cards are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from edge.benchmarks.accuracy.categories import in_categories
from edge.benchmarks.accuracy.depth import Depths, mean_of
from edge.benchmarks.accuracy.disturbances import CLEAN, conditions
from edge.benchmarks.accuracy.measure import IN_USE, UNKNOWN, Thresholds, f_measure
from edge.benchmarks.accuracy.networks import Counts, Network, measured_disturbed
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.reporting.codec import encode
from edge.benchmarks.reporting.table import number


def table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _mean(scores: Iterable[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else None


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def sequence_table(networks: list[Network], plain: Thresholds) -> list[str]:
    """F-measure of every sequence, and the means by category and of all."""
    clean = plain.counts[CLEAN.name][plain.best()]
    heads = ["F-measure", f"absolute difference > {plain.best()}", "at its best for each"]
    rows = [
        [
            scene,
            number(f_measure({scene: clean[scene]}), 4),
            number(plain.best_of(scene), 4),
            *(number(f_measure({scene: n.counts[CLEAN.name][scene]}), 4) for n in networks),
        ]
        for scene in clean
    ]
    for name, scenes in {**in_categories(clean), "**mean**": list(clean)}.items():
        columns = [clean, *(n.counts[CLEAN.name] for n in networks)]
        means = [number(f_measure({s: counts[s] for s in scenes}), 4) for counts in columns]
        best = number(_mean(plain.best_of(scene) for scene in scenes), 4)
        rows.append([name, means[0], best, *means[1:]])
    if any(n.shadows for n in networks):
        rows.append(["of labelled shadows, foreground", "-", "-", *map(_shadow, networks)])
    return table([*heads, *(n.title for n in networks)], rows)


def _shadow(network: Network) -> str:
    covered, all_of_them = (sum(counts) for counts in zip(*network.shadows, strict=True))
    return f"{100 * covered / all_of_them:.1f} %"


def disturbance_table(networks: list[Network], plain: Thresholds) -> list[str]:
    """Mean F-measure of all sequences lost to each disturbance."""
    threshold = plain.best()
    disturbed = measured_disturbed(networks)

    def lost(counts: dict[str, Counts], condition: str) -> str:
        if condition not in counts:
            return "-"
        return number(_less(f_measure(counts[CLEAN.name]), f_measure(counts[condition])), 4)

    difference = {condition: by[threshold] for condition, by in plain.counts.items()}
    return table(
        ["F-measure lost", f"absolute difference > {threshold}", *(n.title for n in disturbed)],
        (
            [c, lost(difference, c), *(lost(n.counts, c) for n in disturbed)]
            for c in (UNKNOWN, IN_USE, *conditions())
        ),
    )


def empty_table(networks: list[Network]) -> list[str]:
    """Foreground in empty scenes, and flicker."""
    disturbed = measured_disturbed(networks)
    rows = [
        [condition, *(f"{100 * np.mean(n.empty[condition]):.4f} %" for n in disturbed)]
        for condition in conditions()
    ]
    flicker = [f"{100 * np.mean(n.flicker):.4f} %" for n in disturbed]
    heads = ["share of the image", *(n.title for n in disturbed)]
    return table(heads, [*rows, ["flicker between two noisy takes of a frame", *flicker]])


def depth_table(depths: Depths) -> list[str]:
    """AbsRel and delta1 of every source and network."""
    keys = ("abs_rel", "delta1", "foreground_abs_rel", "foreground_delta1")
    heads = ["", "", "AbsRel", "delta1", "AbsRel of foreground", "delta1 of foreground"]
    return table(
        heads,
        (
            [source, title, *(number(scores.get(key), 4) for key in keys)]
            for source, by_network in depths.items()
            for title, scores in by_network.items()
        ),
    )


def depth_by_set(depths: Depths, foreground: bool) -> list[str]:
    """AbsRel and delta1 of each set: of a constant, the teacher, and the networks in int8.

    Args:
        depths: By set.
        foreground: Of the foreground, not of the whole image.
    """
    first = next(iter(depths.values()))
    titles = [title for title in first if not title.endswith("FP32")]
    keys = [f"foreground_{key}" if foreground else key for key in ("abs_rel", "delta1")]
    return table(
        ["AbsRel, delta1", *titles],
        (
            [name, *(" ".join(number(of[title].get(key), 3) for key in keys) for title in titles)]
            for name, of in [*depths.items(), ("**mean**", mean_of(depths))]
        ),
    )


def results(networks: list[Network], plain: Thresholds, depths: Depths) -> dict[str, Any]:
    """accuracy.json: the scores of each network by kind, name and precision."""
    document: dict[str, Any] = {}
    for n in networks:
        clean = n.counts[CLEAN.name]
        scores: dict[str, Any] = {
            "f_measure": {scene: f_measure({scene: clean[scene]}) for scene in clean},
            "depth": {source: by[n.title] for source, by in depths.items() if n.title in by},
        }
        if n.flicker:
            scores |= {
                "lost": {c: _less(f_measure(clean), f_measure(n.counts[c])) for c in conditions()},
                "empty": {c: float(np.mean(n.empty[c])) for c in conditions()},
                "flicker": float(np.mean(n.flicker)),
            }
        document.setdefault(n.kind, {}).setdefault(n.name, {})[n.precision] = scores
    best = {scene: plain.best_of(scene) for scene in plain.counts[CLEAN.name][plain.best()]}
    return {"machine": encode(machine()), "absolute_difference": best, **document}
