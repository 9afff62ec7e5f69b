"""What each layer costs when it alone is int8, and which must stay in float to keep a promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from edge.calibrate.evaluator import Evaluator, Scores
from edge.calibrate.methods import Range
from edge.calibrate.qdq import Scheme, quantize
from edge.errors import EdgeError


@dataclass(frozen=True)
class Kept:
    """layers: those left in float; lost: what the graph then still gives up."""

    layers: tuple[str, ...]
    lost: Scores


def layers(frame: onnx.ModelProto, scheme: Scheme) -> list[str]:
    """Names of the layers that the scheme makes int8, in the order of the graph."""
    return [node.name for node in frame.graph.node if node.op_type in scheme.ops]


def costs(
    frame: onnx.ModelProto,
    ranges: Mapping[str, Range],
    scheme: Scheme,
    judge: Evaluator,
    known: Mapping[str, Scores],
) -> Iterator[tuple[str, Scores]]:
    """(layer, what is lost when it alone is int8), for the layers that are not `known` already.

    A scheme also rounds the sums of skips; what that costs is in no layer's share.
    """
    every = layers(frame, scheme)
    todo = [layer for layer in every if layer not in known]
    none = judge.lost(quantize(frame, ranges, scheme, keep=every)) if todo else {}
    for layer in todo:
        others = [other for other in every if other != layer]
        lost = judge.lost(quantize(frame, ranges, scheme, keep=others))
        yield layer, {key: value - none[key] for key, value in lost.items()}


def within(
    frame: onnx.ModelProto,
    ranges: Mapping[str, Range],
    scheme: Scheme,
    judge: Evaluator,
    found: Mapping[str, Scores],
    allowed: float,
) -> Kept:
    """The fewest of the costliest layers, left in float, with which no score loses more than
    `allowed`. EdgeError where the sums alone lose more."""
    order = ranked(found)
    for count in range(len(order) + 1):
        kept = order[:count]
        lost = judge.lost(quantize(frame, ranges, scheme, keep=kept))
        if max(lost.values()) <= allowed:
            return Kept(tuple(kept), lost)
    raise EdgeError(
        f"with every layer in float {max(lost.values()):.4f} is still lost, allowed is {allowed};"
        " take --precision fp16 or fp32"
    )


def ranked(found: Mapping[str, Scores]) -> Sequence[str]:
    """The layers, the costliest first."""
    return sorted(found, key=lambda layer: -max(found[layer].values()))
