"""Metrics against reference vectors that independent programs agree on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge.accuracy import (
    FARTHEST,
    MaskCounts,
    align,
    count_mask,
    depth_scores,
    mean_mask_scores,
    means,
    tells_depth,
)
from edge.samples.masks import from_codes

ROW, COL = np.mgrid[0:224, 0:224].astype(np.float64)
A = 0.5 + 0.3 * np.sin(0.11 * ROW) * np.cos(0.07 * COL) + 0.15 * np.sin(0.0221 * ROW + 0.029 * COL)
B = np.clip(0.9 * A + 0.04 + 0.05 * np.sin(0.5 * ROW + 0.3 * COL), 0, 1)
G = (ROW - 110) ** 2 + (COL - 100) ** 2 < 45**2
P = (ROW - 118) ** 2 + (COL - 108) ** 2 < 42**2


def scored(
    depth: npt.NDArray[np.float64],
    truth: npt.NDArray[np.float64],
    where: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    scores = depth_scores(depth, truth, where)
    assert scores is not None
    return scores


def test_mask_scores_of_the_reference_discs() -> None:
    counts = count_mask(P, np.where(G, 255, 0).astype(np.uint8))
    assert counts == MaskCounts(tp=4919, fp=602, fn=1430, tn=43225)
    scores = counts.scores()
    assert scores["recall"] == pytest.approx(0.774768, abs=1e-6)
    assert scores["precision"] == pytest.approx(0.890962, abs=1e-6)
    assert scores["f_measure"] == pytest.approx(0.828812, abs=1e-6)
    assert scores["iou"] == pytest.approx(0.707668, abs=1e-6)


def test_mask_scores_with_cdnet_labels() -> None:
    """Shadow is background, unknown and outside are ignored (CDnet 2014's comparator)."""
    codes = np.zeros((224, 224), np.uint8)
    codes[(ROW - 110) ** 2 + (COL - 150) ** 2 < 30**2] = 50
    codes[(ROW - 110) ** 2 + (COL - 100) ** 2 < 48**2] = 170
    codes[G] = 255
    codes[:, :20] = 85
    counts = count_mask(P, from_codes(codes))
    assert counts == MaskCounts(tp=4919, fp=318, fn=1430, tn=38169)
    assert counts.scores()["f_measure"] == pytest.approx(0.849128, abs=1e-6)


def test_an_empty_mask_of_an_empty_scene_scores_one() -> None:
    truth = np.zeros((4, 4), np.uint8)
    nothing = np.zeros((4, 4), bool)
    assert not count_mask(nothing, truth).defined
    assert np.isnan(count_mask(nothing, truth).scores()["iou"])
    assert mean_mask_scores([count_mask(nothing, truth)]) is None
    nothing[0, 0] = True
    assert count_mask(nothing, truth).scores()["iou"] == 0.0
    empty = MaskCounts(tn=16)
    assert mean_mask_scores([count_mask(nothing, truth), empty])["iou"] == 0.0  # type: ignore[index]


def test_alignment_is_least_squares() -> None:
    """The reference vector: prediction 3 / pred + 0.2 aligned to 1 / gt."""
    true, predicted = 1 / (9.5 * A + 0.5), 3 / (9.5 * B + 0.5) + 0.2
    slope, offset = np.linalg.lstsq(
        np.stack([predicted.ravel(), np.ones(predicted.size)], 1), true.ravel(), rcond=None
    )[0]
    assert (slope, offset) == pytest.approx((0.357799, -0.086504), abs=1e-6)
    assert align(predicted.ravel(), true.ravel()) == pytest.approx(
        slope * predicted.ravel() + offset
    )


def test_depth_scores_of_the_reference_vector() -> None:
    """AbsRel and delta1 of the vector, whose depth is nowhere cut off by FARTHEST."""
    true, predicted = 1 / (9.5 * A + 0.5), 3 / (9.5 * B + 0.5) + 0.2
    assert true.min() > FARTHEST * true.max()
    scores = scored(predicted, true)
    assert scores["abs_rel"] == pytest.approx(0.072370, abs=5e-4)
    assert scores["delta1"] == pytest.approx(0.985551, abs=1e-6)


def test_depth_scores_ignore_scale_and_shift_and_penalise_inverted_depth() -> None:
    assert scored(3 * A + 7, A)["abs_rel"] == pytest.approx(0, abs=1e-9)
    assert scored(-A, A)["delta1"] < 0.5


def test_unknown_depth_is_ignored() -> None:
    truth = A.copy()
    truth[:100] = np.nan
    wild = A.copy()
    wild[:100] = 1e6
    assert scored(wild, truth)["abs_rel"] == pytest.approx(0, abs=1e-9)


def test_means() -> None:
    assert means([{"iou": 1.0}, None, {"iou": 0.0}]) == {"iou": 0.5}
    assert means([None]) is means([]) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, 0.0, 0.7])
def test_depth_without_a_truth_has_no_score(value: float) -> None:
    """Unknown, infinitely far or the same everywhere: after aligning any depth would be perfect."""
    truth = np.full(A.shape, value)
    assert not tells_depth(truth)
    assert depth_scores(A, truth) is None
    truth[3, 4] = np.nan
    assert depth_scores(A, truth) is None


def test_a_part_without_known_depth_has_no_score() -> None:
    truth = A.copy()
    truth[:5] = np.nan
    part = np.zeros(A.shape, bool)
    part[:5] = True
    assert depth_scores(A, truth, part) is None
    assert depth_scores(A, truth, ~part) is not None


def test_a_part_is_scored_at_the_scale_of_the_whole() -> None:
    truth = np.linspace(0.2, 1, 100, dtype=np.float64).reshape(10, 10)
    depth = 3 * truth - 0.4
    part = np.zeros((10, 10), bool)
    part[3:6, 2:5] = True
    assert scored(depth, truth, part)["abs_rel"] == pytest.approx(0, abs=1e-9)
    depth[part] *= 1.5
    inside, whole = scored(depth, truth, part), scored(depth, truth)
    assert inside["abs_rel"] > 3 * whole["abs_rel"]
