"""Ranges and a plan make an int8 plan: the form and the scheme that the target's row names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import onnx

from edge.builder.write import Plan
from edge.calibrate.qdq import SCHEMES, quantize
from edge.calibrate.record import Ranges, key_of, observe
from edge.graph.upsample import to_depth_to_space
from edge.samples.sample import Sample


def float_frame(plan: Plan) -> onnx.ModelProto:
    """The plan's frame graph in the form that its target quantizes."""
    return to_depth_to_space(plan.split.frame) if plan.target.shuffle else plan.split.frame


def apply(plan: Plan, ranges: Ranges, keep: Sequence[str] = ()) -> Plan:
    """The plan with its frame graph quantized for its target. The background stays in float, and
    so do the layers of `keep`."""
    about = asdict(ranges.key) | {"imgsz": list(ranges.key.imgsz)}
    return replace(
        plan,
        frame=quantize(float_frame(plan), ranges.ranges, SCHEMES[plan.target.scheme], keep),
        ranges=ranges.to_json(),
        calibration=about | ({"kept_in_float": list(keep)} if keep else {}),
    )


def calibrated(plan: Plan, samples: Sequence[Sample], threads: int) -> Plan:
    """The plan quantized on samples of its size by min-max, for builds that are measured and thrown
    away: their ranges name no source."""
    key = key_of("", "", "", len(samples), "minmax", plan.imgsz)
    return apply(plan, observe(plan.split, samples, key, threads))
