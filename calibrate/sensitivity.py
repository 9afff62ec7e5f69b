"""The accuracy that each layer loses in int8 alone, and the layers that must stay in float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from edge.builder.plan import Plan
from edge.calibrate.apply import float_frame, quantize_plan
from edge.calibrate.evaluator import Evaluator, Scores
from edge.calibrate.qdq import SCHEMES, Scheme
from edge.calibrate.record import Ranges
from edge.errors import EdgeError


@dataclass(frozen=True)
class Kept:
    """layers: those left in float; drop: what int8 then still loses."""

    layers: tuple[str, ...]
    drop: Scores


def layers(frame: onnx.ModelProto, scheme: Scheme) -> list[str]:
    """Names of the layers that the scheme quantizes, in the order of the graph."""
    return [node.name for node in frame.graph.node if node.op_type in scheme.ops]


def layer_drops(
    float_build: Plan, ranges: Ranges, evaluator: Evaluator, known: Mapping[str, Scores]
) -> Iterator[tuple[str, Scores]]:
    """Yield (layer, drop when it alone is int8) for the layers that are not `known` yet.

    A scheme also rounds the sums of skips; no layer's drop contains that.
    """
    names = layers(float_frame(float_build), SCHEMES[float_build.target.scheme])
    todo = [layer for layer in names if layer not in known]
    sums = evaluator.drop(quantize_plan(float_build, ranges, names)) if todo else {}
    for layer in todo:
        others = [other for other in names if other != layer]
        drop = evaluator.drop(quantize_plan(float_build, ranges, others))
        yield layer, {key: value - sums[key] for key, value in drop.items()}


def keep_in_float(
    float_build: Plan,
    ranges: Ranges,
    evaluator: Evaluator,
    drops: Mapping[str, Scores],
    allowed: float,
) -> Kept:
    """Keep the fewest layers in float, those of the largest drop first, with which no score drops
    by more than `allowed`.

    Raises:
        EdgeError: The sums of skips alone lose more.
    """
    order = ranked(drops)
    for count in range(len(order) + 1):
        keep = order[:count]
        drop = evaluator.drop(quantize_plan(float_build, ranges, keep))
        if max(drop.values()) <= allowed:
            return Kept(tuple(keep), drop)
    raise EdgeError(
        f"with every layer in float int8 still loses {max(drop.values()):.4f}, allowed is"
        f" {allowed}",
        "take --precision fp16 or fp32",
    )


def ranked(drops: Mapping[str, Scores]) -> Sequence[str]:
    """The layers, the one with the largest drop first."""
    return sorted(drops, key=lambda layer: -max(drops[layer].values()))
