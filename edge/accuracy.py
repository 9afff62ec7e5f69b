"""Metrics of masks and depth maps against ground truth. numpy only; float64 throughout."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.samples.sample import FOREGROUND, IGNORED

THRESHOLD = 0.5
"""Smallest mask probability of a foreground pixel."""


@dataclass(frozen=True)
class MaskCounts:
    """The confusion matrix of a mask in pixels; counts of the frames of a sequence add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: MaskCounts) -> MaskCounts:
        return MaskCounts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @property
    def defined(self) -> bool:
        """Whether the truth or the mask has a foreground pixel."""
        return self.tp + self.fp + self.fn > 0

    def scores(self) -> dict[str, float]:
        """Return IoU, F-measure, precision and recall (CDnet 2014).

        All are NaN where neither the truth nor the mask has a foreground pixel: such images prove
        nothing about a mask.
        """
        if not self.defined:
            return dict.fromkeys(("iou", "f_measure", "precision", "recall"), math.nan)
        precision = self.tp / max(self.tp + self.fp, 1)
        recall = self.tp / max(self.tp + self.fn, 1)
        return {
            "iou": self.tp / (self.tp + self.fp + self.fn),
            "f_measure": 2 * self.tp / (2 * self.tp + self.fp + self.fn),
            "precision": precision,
            "recall": recall,
        }


def count_mask(mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.uint8]) -> MaskCounts:
    """Compare a predicted mask, bool [H, W], with labels, uint8 [H, W]."""
    counted = truth != IGNORED
    true = truth == FOREGROUND
    return MaskCounts(
        tp=int((mask & true).sum()),
        fp=int((mask & ~true & counted).sum()),
        fn=int((~mask & true).sum()),
        tn=int((~mask & ~true & counted).sum()),
    )


def align(
    depth: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Scale and shift `depth` to `truth` by least squares (MiDaS, Ranftl et al. 2020).

    Both are inverse depth, 1-D. The scale is kept above zero, so inverted depth scores badly.
    """
    d, t = depth.astype(np.float64), truth.astype(np.float64)
    centred = d - d.mean()
    scale = max(float((centred * (t - t.mean())).sum() / max((centred**2).sum(), 1e-12)), 1e-6)
    return np.asarray(scale * centred + t.mean())


FARTHEST = 0.05
"""Smallest true inverse depth that is scored, as a share of the largest."""
FLAT = 1e-6
"""Range of a true inverse depth, as a share of the largest, up to which it tells nothing."""


def _scored(truth: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """The pixels of a true inverse depth that are scored: known, and not too far away."""
    known = np.asarray(np.isfinite(truth))
    if not known.any():
        return known
    return np.asarray(known & (truth > FARTHEST * truth[known].max()))


def tells_depth(truth: npt.NDArray[np.floating]) -> bool:
    """Whether a true inverse depth tells a right depth from a wrong one.

    One that is unknown everywhere, or the same everywhere, fits any depth after aligning.
    """
    values = truth[_scored(truth)]
    return bool(values.size and values.max() - values.min() > FLAT * values.max())


def depth_scores(
    depth: npt.NDArray[np.floating],
    truth: npt.NDArray[np.floating],
    where: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float] | None:
    """Return AbsRel, RMSE and delta1 of one image after aligning scale and shift; None where the
    truth tells nothing (`tells_depth`) or no pixel of it is asked for.

    AbsRel and delta1 compare depth (1 / inverse depth) and have no unit; RMSE compares inverse
    depth relative to the largest true value. Pixels beyond FARTHEST are left out, because they
    would dominate a metric that divides by them.

    Args:
        depth: [H, W], predicted inverse depth.
        truth: [H, W], true inverse depth, NaN where unknown.
        where: [H, W], the pixels to score, default all; the alignment uses the whole image.
    """
    if not tells_depth(truth):
        return None
    known = _scored(truth)
    true = truth[known].astype(np.float64) / np.nanmax(truth)
    aligned = np.maximum(align(depth[known], true), FARTHEST)
    if where is not None:
        true, aligned = true[where[known]], aligned[where[known]]
        if not true.size:
            return None
    ratio = np.maximum(aligned / true, true / aligned)
    return {
        "abs_rel": float(np.mean(np.abs(true / aligned - 1))),
        "rmse": float(np.sqrt(np.mean((aligned - true) ** 2))),
        "delta1": float(np.mean(ratio < 1.25)),
    }


def mean_mask_scores(counts: Iterable[MaskCounts]) -> dict[str, float] | None:
    """Return the mean scores over the sequences with a foreground pixel; None where none has."""
    return means(count.scores() if count.defined else None for count in counts)


def means(scores: Iterable[dict[str, float] | None]) -> dict[str, float] | None:
    """Return the mean of each key over the images or sequences that have scores, all with the same
    keys; None where none has."""
    known = [score for score in scores if score is not None]
    if not known:
        return None
    return {key: float(np.mean([score[key] for score in known])) for key in known[0]}
