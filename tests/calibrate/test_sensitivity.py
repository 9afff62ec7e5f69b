"""A layer that int8 really hurts is found, and kept in float when a promise asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from edge.builder.write import Plan
from edge.calibrate.apply import float_frame
from edge.calibrate.evaluator import Evaluator
from edge.calibrate.qdq import SCHEMES, quantize
from edge.calibrate.record import key_of, observe
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.sensitivity import costs, layers, ranked, within
from edge.errors import EdgeError
from edge.samples.sample import Sample, resize_sample

S8 = SCHEMES["s8"]


@pytest.fixture(scope="module")
def case(
    plan: Callable[..., Plan], samples: list[Sample]
) -> tuple[onnx.ModelProto, dict[str, tuple[float, float]], Evaluator, str]:
    """A frame graph for TensorRT whose third layer was calibrated to a hundredth of its range."""
    made = plan("tensorrt", "fp32")
    frame = float_frame(made)
    ranges = dict(observe(made.split, samples, key_of("", "", "", 8, "minmax", (64, 64)), 1).ranges)
    spoiled = layers(frame, S8)[2]
    reads = next(node.input[0] for node in frame.graph.node if node.name == spoiled)
    low, high = ranges[reads]
    ranges[reads] = (low / 100, high / 100)
    rendered = Rendered(8, (64, 64), seed=6, frames_per_scene=4)
    labelled = [(rendered.sequence(i), resize_sample(rendered[i], 64, 64)) for i in range(8)]
    return frame, ranges, Evaluator(made.split, labelled, (64, 64), 1), spoiled


def test_the_float_graph_loses_nothing_to_itself(case) -> None:  # type: ignore[no-untyped-def]
    frame, _, judge, _ = case
    assert judge.lost(frame) == {"iou": 0, "delta1": 0}
    assert set(judge.base) == {"iou", "delta1"}


def test_the_layer_that_hurts_is_the_costliest(case) -> None:  # type: ignore[no-untyped-def]
    frame, ranges, judge, spoiled = case
    found = dict(costs(frame, ranges, S8, judge, {}))
    assert list(found) == layers(frame, S8)
    assert ranked(found)[0] == spoiled
    rest = [max(lost.values()) for layer, lost in found.items() if layer != spoiled]
    assert max(found[spoiled].values()) > 3 * max(*rest, 0.001)
    # A run that was killed asks for the rest only.
    known = {layer: found[layer] for layer in list(found)[:10]}
    assert [layer for layer, _ in costs(frame, ranges, S8, judge, known)] == list(found)[10:]
    kept = within(frame, ranges, S8, judge, found, 0.02)
    assert kept.layers == (spoiled,)
    assert max(judge.lost(quantize(frame, ranges, S8)).values()) > 0.02 >= max(kept.lost.values())


def test_a_promise_that_cannot_be_kept_is_refused(case) -> None:  # type: ignore[no-untyped-def]
    frame, ranges, judge, spoiled = case
    with pytest.raises(EdgeError, match=r"with every layer in float .* allowed is -1"):
        within(frame, ranges, S8, judge, {spoiled: {"iou": 1.0}}, -1)


def test_samples_without_depth_are_judged_by_the_float_graphs_own(
    plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    made = plan("tensorrt", "fp32")
    bare = [("a", Sample("a", s.bg, s.fg_bg, s.mask)) for s in samples[:2]]
    judge = Evaluator(made.split, bare, (64, 64), 1)
    assert judge.base["delta1"] == 1
    with pytest.raises(EdgeError, match="no samples to judge by"):
        Evaluator(made.split, [], (64, 64), 1)
    assert np.isfinite(judge.base["iou"])
