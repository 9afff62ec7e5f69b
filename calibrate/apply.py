"""Quantize a plan's frame graph with recorded ranges, as the target's scheme places Q/DQ nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import onnx

from edge.builder.plan import Plan
from edge.calibrate.qdq import SCHEMES, quantize, unfit, with_rounded
from edge.calibrate.record import Ranges
from edge.graph.upsample import to_depth_to_space


def float_frame(plan: Plan) -> onnx.ModelProto:
    """The plan's float frame graph with the upsample operator that is quantized."""
    if plan.upsample == "depth_to_space":
        return to_depth_to_space(plan.split.frame)
    return plan.split.frame


def quantize_plan(plan: Plan, ranges: Ranges, keep: Sequence[str] = ()) -> Plan:
    """The plan with its frame graph in int8; the background graph and the layers of `keep` stay in
    float.

    So does a layer whose bias cannot be stored (edge.calibrate.qdq.unfit).

    Layers of the background graph that share their weights with the frame's take the rounded ones:
    frame and background are subtracted, and what rounding does to both is then no difference.
    """
    scheme, exact = SCHEMES[plan.target.scheme], float_frame(plan)
    keep = list(dict.fromkeys([*keep, *unfit(exact, ranges.ranges, scheme)]))
    key = asdict(ranges.key) | {"imgsz": list(ranges.key.imgsz)}
    frame = quantize(exact, ranges.ranges, scheme, keep)
    background = plan.split.background and with_rounded(plan.split.background, frame)
    return replace(
        plan,
        frame=frame,
        split=replace(plan.split, background=background),
        ranges=ranges.to_json(),
        calibration=key | ({"kept_in_float": keep} if keep else {}),
    )
