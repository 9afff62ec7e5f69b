"""A layer that int8 really harms is detected, and stays in float where a constraint asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.accuracy import MaskCounts, count_mask
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.calibrate.apply import float_frame, quantize_plan
from edge.calibrate.evaluator import Evaluator
from edge.calibrate.qdq import SCHEMES
from edge.calibrate.record import Ranges, key_of, record_ranges
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.sensitivity import keep_in_float, layer_drops, layers, ranked
from edge.errors import EdgeError
from edge.samples.sample import Sample, resize_sample

S8 = SCHEMES["s8"]


KEY = key_of("", "", "", 8, "minmax", (64, 64))


@pytest.fixture(scope="module")
def case(plan: Callable[..., Plan], samples: list[Sample]) -> tuple[Plan, Ranges, Evaluator, str]:
    """A network for TensorRT whose third layer was calibrated to a hundredth of its range."""
    made = plan("tensorrt", "fp32")
    frame = float_frame(made)
    recorded = record_ranges(made.split, samples, KEY, 1)
    harmed = layers(frame, S8)[2]
    reads = next(node.input[0] for node in frame.graph.node if node.name == harmed)
    low, high = recorded.ranges[reads]
    ranges = replace(recorded, ranges={**recorded.ranges, reads: (low / 100, high / 100)})
    rendered = Rendered(8, (64, 64), seed=6, frames_per_scene=4)
    labelled = [(rendered.sequence(i), resize_sample(rendered[i], 64, 64)) for i in range(8)]
    return made, ranges, Evaluator(made, labelled), harmed


def test_the_float_graph_loses_nothing_to_itself(case) -> None:  # type: ignore[no-untyped-def]
    made, _, evaluator, _ = case
    assert evaluator.drop(made) == {"iou": 0, "delta1": 0}
    assert set(evaluator.reference) == {"iou", "delta1"}


def test_the_harmed_layer_has_the_largest_drop(case) -> None:  # type: ignore[no-untyped-def]
    made, ranges, evaluator, harmed = case
    drops = dict(layer_drops(made, ranges, evaluator, {}))
    assert list(drops) == layers(float_frame(made), S8)
    assert ranked(drops)[0] == harmed
    rest = [max(drop.values()) for layer, drop in drops.items() if layer != harmed]
    assert max(drops[harmed].values()) > 3 * max(*rest, 0.001)
    # A run that was killed asks for the rest only.
    known = {layer: drops[layer] for layer in list(drops)[:10]}
    assert [layer for layer, _ in layer_drops(made, ranges, evaluator, known)] == list(drops)[10:]
    kept = keep_in_float(made, ranges, evaluator, drops, 0.02)
    assert kept.layers == (harmed,)
    assert (
        max(evaluator.drop(quantize_plan(made, ranges)).values()) > 0.02 >= max(kept.drop.values())
    )


def test_a_constraint_that_cannot_be_met_is_refused(case) -> None:  # type: ignore[no-untyped-def]
    made, ranges, evaluator, harmed = case
    with pytest.raises(EdgeError, match=r"with every layer in float .* allowed is -1"):
        keep_in_float(made, ranges, evaluator, {harmed: {"iou": 1.0}}, -1)


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_judge_scores_what_the_build_computes(
    target: str, plan: Callable[..., Plan], samples: list[Sample], tmp_path: Path
) -> None:
    """The mask of the build itself, pixel by pixel, gives the same IoU."""
    made, int8 = plan(target, "fp32"), plan(target, "int8")
    evaluator = Evaluator(made, [("a", sample) for sample in samples[:4]])
    assert evaluator.arithmetic == f"in {target} on this machine"
    write_build(int8, tmp_path / "b")
    counts = MaskCounts()
    with edge.open(tmp_path / "b") as h:
        for sample in samples[:4]:
            edge.set_background(h, sample.bg, sample.spread)
            mask, _ = edge.infer(h, sample.fg_bg)
            assert mask is not None
            counts += count_mask(mask >= 0.5, sample.mask)
    assert evaluator.scores(int8)["iou"] == counts.scores()["iou"]


def test_what_cannot_run_here_is_judged_in_exact_arithmetic_and_called_so(
    no_gpu: None, plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    evaluator = Evaluator(plan("tensorrt", "fp32"), [("a", samples[1])])
    assert evaluator.arithmetic == "in exact arithmetic, because tensorrt does not run here"


def test_the_float_graphs_depth_stands_for_a_missing_one(
    plan: Callable[..., Plan], samples: list[Sample]
) -> None:
    made = plan("tensorrt", "fp32")
    bare = [("a", Sample("a", s.bg, s.fg_bg, s.mask)) for s in samples[:2]]
    evaluator = Evaluator(made, bare)
    assert evaluator.reference["delta1"] == 1
    with pytest.raises(EdgeError, match="no samples to evaluate on"):
        Evaluator(made, [])
    assert np.isfinite(evaluator.reference["iou"])
