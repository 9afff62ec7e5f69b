"""Ranges and a plan make an int8 plan: the form and the scheme that the target's row names."""

from __future__ import annotations

from dataclasses import asdict, replace

from calibrate.qdq import SCHEMES, quantize
from calibrate.record import Ranges
from edge.build import Plan
from edge.graph.convtranspose import to_depth_to_space


def apply(plan: Plan, ranges: Ranges) -> Plan:
    """The plan with its frame graph quantized for its target. The background stays in float."""
    frame = plan.split.frame
    if plan.target.shuffle:
        frame = to_depth_to_space(frame)
    return replace(
        plan,
        frame=quantize(frame, ranges.ranges, SCHEMES[plan.target.scheme]),
        ranges=ranges.to_json(),
        calibration=asdict(ranges.key) | {"imgsz": list(ranges.key.imgsz)},
    )
