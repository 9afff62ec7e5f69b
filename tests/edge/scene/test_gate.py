"""The gate on a real build: what it skips, what it never skips, and what it answers then."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import edge
from edge.calibrate.rendering import sensor
from edge.errors import UsageError
from edge.samples.sample import Sample


@pytest.fixture
def h(builds, samples: list[Sample]) -> Iterator[edge.Handle]:
    with edge.open(builds("onnxruntime", "fp32"), threads=1) as opened:
        edge.set_background(opened, samples[0].bg)
        yield opened


def test_an_unchanged_frame_gets_the_exact_answer_without_inference(
    h: edge.Handle, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = samples[0].fg_bg
    expected = [np.array(plane) for plane in edge.infer(h, frame)]
    gate = edge.Gate(h)
    gate.infer(frame, 0.0)
    monkeypatch.setattr(h.backend, "run", lambda slot: pytest.fail("it inferred"))
    for found, true in zip(gate.infer(frame.copy(), 40.0), expected, strict=True):
        assert np.array_equal(found, true)
    assert (gate.seen, gate.skipped) == (2, 1)


def test_noise_is_skipped_and_a_change_is_not(
    h: edge.Handle, samples: list[Sample], rng: np.random.Generator
) -> None:
    frame = samples[0].bg
    gate = edge.Gate(h)
    gate.infer(frame, 0.0)
    gate.infer(sensor.noise(frame, rng, 3), 40.0)
    assert gate.skipped == 1
    entered = frame.copy()
    entered[24:36, 24:30] = 255 - entered[24:36, 24:30]
    mask, _ = gate.infer(entered, 80.0)
    assert gate.skipped == 1
    assert np.array_equal(mask, edge.infer(h, entered)[0])


def test_slow_change_cannot_creep_past(h: edge.Handle, samples: list[Sample]) -> None:
    """Each step is below the level; what is compared is the last inferred frame, not the last."""
    gate = edge.Gate(h, level=5)
    grey = np.full_like(samples[0].bg, 100)
    for step in range(12):
        gate.infer(grey + np.uint8(2 * step), 40.0 * step)
    assert gate.skipped == 8  # inferred at 0, 6, 12 and 18 levels


def test_an_answer_never_outlives_its_age(h: edge.Handle, samples: list[Sample]) -> None:
    gate = edge.Gate(h, max_age_ms=100)
    for at in (0, 50, 100, 101, 200):
        gate.infer(samples[0].fg_bg, float(at))
    assert gate.skipped == 3  # 101 was inferred anew, and 200 is 99 ms after it


def test_a_new_background_forgets_the_answer(h: edge.Handle, samples: list[Sample]) -> None:
    gate = edge.Gate(h)
    gate.infer(samples[0].fg_bg, 0.0)
    edge.set_background(h, samples[-1].bg)
    gate.reset()
    gate.infer(samples[0].fg_bg, 1.0)
    assert gate.skipped == 0


@pytest.mark.parametrize("wrong", [{"level": -1}, {"max_age_ms": -1}])
def test_negative_settings_are_refused(h: edge.Handle, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected at least 0"):
        edge.Gate(h, **wrong)


WRONG = {
    "None": None,
    "smaller": np.zeros((32, 32, 3), np.uint8),
    "empty": np.zeros((0, 64, 3), np.uint8),
    "grey": np.zeros((64, 64), np.uint8),
    "with alpha": np.zeros((64, 64, 4), np.uint8),
    "float": np.zeros((64, 64, 3), np.float32),
    "16 bits": np.zeros((64, 64, 3), np.uint16),
    "signed": np.zeros((64, 64, 3), np.int8),
    "a list": [[[0, 0, 0]]],
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("first", [True, False])
def test_a_frame_of_another_kind_is_refused(
    h: edge.Handle, samples: list[Sample], wrong: str, first: bool
) -> None:
    gate = edge.Gate(h)
    if not first:
        gate.infer(samples[0].fg_bg, 0.0)
    seen = gate.seen
    with pytest.raises(UsageError, match=r"frame is .*expected uint8 \[64, 64, 3\]"):
        gate.infer(WRONG[wrong], 1.0)  # type: ignore[arg-type]
    assert gate.seen == seen
    with pytest.raises(UsageError, match=r"bg is .*expected uint8 \[64, 64, 3\]"):
        edge.set_background(h, WRONG[wrong])  # type: ignore[arg-type]
