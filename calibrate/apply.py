"""Quantize a plan's frame graph with recorded ranges, as the target's scheme places Q/DQ nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import onnx

from edge.builder.plan import Plan
from edge.calibrate.qdq import SCHEMES, quantize
from edge.calibrate.record import Ranges
from edge.graph.upsample import to_depth_to_space


def float_frame(plan: Plan) -> onnx.ModelProto:
    """The plan's float frame graph with the upsample operator that is quantized."""
    if plan.upsample == "depth_to_space":
        return to_depth_to_space(plan.split.frame)
    return plan.split.frame


def quantize_plan(plan: Plan, ranges: Ranges, keep: Sequence[str] = ()) -> Plan:
    """The plan with its frame graph in int8; the background and the layers of `keep` stay in
    float."""
    key = asdict(ranges.key) | {"imgsz": list(ranges.key.imgsz)}
    return replace(
        plan,
        frame=quantize(float_frame(plan), ranges.ranges, SCHEMES[plan.target.scheme], keep),
        ranges=ranges.to_json(),
        calibration=key | ({"kept_in_float": list(keep)} if keep else {}),
    )
