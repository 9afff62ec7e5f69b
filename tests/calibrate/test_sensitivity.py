"""A layer that int8 really harms is detected, and stays in float where a constraint asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from edge.builder.plan import Plan
from edge.calibrate.apply import float_frame
from edge.calibrate.evaluator import Evaluator
from edge.calibrate.qdq import SCHEMES, quantize
from edge.calibrate.record import key_of, record_ranges
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.sensitivity import keep_in_float, layer_drops, layers, ranked
from edge.errors import EdgeError
from edge.samples.sample import Sample, resize_sample

S8 = SCHEMES["s8"]


KEY = key_of("", "", "", 8, "minmax", (64, 64))


@pytest.fixture(scope="module")
def case(
    plan: Callable[..., Plan], samples: list[Sample]
) -> tuple[onnx.ModelProto, dict[str, tuple[float, float]], Evaluator, str]:
    """A frame graph for TensorRT whose third layer was calibrated to a hundredth of its range."""
    made = plan("tensorrt", "fp32")
    frame = float_frame(made)
    ranges = dict(
        record_ranges(made.split, samples, key_of("", "", "", 8, "minmax", (64, 64)), 1).ranges
    )
    harmed = layers(frame, S8)[2]
    reads = next(node.input[0] for node in frame.graph.node if node.name == harmed)
    low, high = ranges[reads]
    ranges[reads] = (low / 100, high / 100)
    rendered = Rendered(8, (64, 64), seed=6, frames_per_scene=4)
    labelled = [(rendered.sequence(i), resize_sample(rendered[i], 64, 64)) for i in range(8)]
    return frame, ranges, Evaluator(made.split, labelled, (64, 64), 1), harmed


def test_the_float_graph_loses_nothing_to_itself(case) -> None:  # type: ignore[no-untyped-def]
    frame, _, evaluator, _ = case
    assert evaluator.drop(frame) == {"iou": 0, "delta1": 0}
    assert set(evaluator.reference) == {"iou", "delta1"}


def test_the_harmed_layer_has_the_largest_drop(case) -> None:  # type: ignore[no-untyped-def]
    frame, ranges, evaluator, harmed = case
    drops = dict(layer_drops(frame, ranges, S8, evaluator, {}))
    assert list(drops) == layers(frame, S8)
    assert ranked(drops)[0] == harmed
    rest = [max(drop.values()) for layer, drop in drops.items() if layer != harmed]
    assert max(drops[harmed].values()) > 3 * max(*rest, 0.001)
    # A run that was killed asks for the rest only.
    known = {layer: drops[layer] for layer in list(drops)[:10]}
    assert [layer for layer, _ in layer_drops(frame, ranges, S8, evaluator, known)] == list(drops)[
        10:
    ]
    kept = keep_in_float(frame, ranges, S8, evaluator, drops, 0.02)
    assert kept.layers == (harmed,)
    assert (
        max(evaluator.drop(quantize(frame, ranges, S8)).values()) > 0.02 >= max(kept.drop.values())
    )


def test_a_constraint_that_cannot_be_met_is_refused(case) -> None:  # type: ignore[no-untyped-def]
    frame, ranges, evaluator, harmed = case
    with pytest.raises(EdgeError, match=r"with every layer in float .* allowed is -1"):
        keep_in_float(frame, ranges, S8, evaluator, {harmed: {"iou": 1.0}}, -1)


def test_the_float_graphs_depth_stands_for_a_missing_one(
    plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    made = plan("tensorrt", "fp32")
    bare = [("a", Sample("a", s.bg, s.fg_bg, s.mask)) for s in samples[:2]]
    evaluator = Evaluator(made.split, bare, (64, 64), 1)
    assert evaluator.reference["delta1"] == 1
    with pytest.raises(EdgeError, match="no samples to evaluate on"):
        Evaluator(made.split, [], (64, 64), 1)
    assert np.isfinite(evaluator.reference["iou"])
