"""How good a mask and a depth map are, against the truth. numpy only; float64 throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.samples.sample import FOREGROUND, IGNORED

THRESHOLD = 0.5
"""A pixel is foreground where the mask is at least this probable."""


@dataclass(frozen=True)
class MaskCounts:
    """Pixels right and wrong; counts of several pictures of one sequence add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: MaskCounts) -> MaskCounts:
        return MaskCounts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    def scores(self) -> dict[str, float]:
        """IoU, F-measure, precision and recall (CDnet 2014); a sequence without a true or a found
        foreground pixel is perfect."""
        if self.tp + self.fp + self.fn == 0:
            return {"iou": 1.0, "f_measure": 1.0, "precision": 1.0, "recall": 1.0}
        precision = self.tp / max(self.tp + self.fp, 1)
        recall = self.tp / max(self.tp + self.fn, 1)
        return {
            "iou": self.tp / (self.tp + self.fp + self.fn),
            "f_measure": 2 * self.tp / (2 * self.tp + self.fp + self.fn),
            "precision": precision,
            "recall": recall,
        }


def count_mask(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.uint8]) -> MaskCounts:
    """Compare a found foreground, bool [H, W], with labels, uint8 [H, W]."""
    counts = truth != IGNORED
    true = truth == FOREGROUND
    return MaskCounts(
        tp=int((found & true).sum()),
        fp=int((found & ~true & counts).sum()),
        fn=int((~found & true).sum()),
        tn=int((~found & ~true & counts).sum()),
    )


def align(
    depth: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """`depth` scaled and shifted to `truth` by least squares, both inverse depth, 1-D.

    MiDaS, Ranftl et al. 2020. The scale is kept above zero: a map that is upside down is wrong.
    """
    d, t = depth.astype(np.float64), truth.astype(np.float64)
    centred = d - d.mean()
    scale = max(float((centred * (t - t.mean())).sum() / max((centred**2).sum(), 1e-12)), 1e-6)
    return np.asarray(scale * centred + t.mean())


FARTHEST = 0.05
"""Truth nearer to 0 than this share of the largest inverse depth is too far to be compared."""


def depth_scores(
    depth: npt.NDArray[np.floating],
    truth: npt.NDArray[np.floating],
    where: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """AbsRel, RMSE and delta1 of one picture after aligning scale and shift in inverse depth.

    depth, truth: [H, W] inverse depth; NaN in truth is unknown.
    where: [H, W], the pixels that are scored; scale and shift are those of the whole picture.
    AbsRel and delta1 compare depth
    (1 / inverse depth), so they are free of units; RMSE compares inverse depth, in units of the
    truth's largest value. Pixels farther than FARTHEST are left out (a metric that divides by
    them would see nothing else).
    """
    largest = np.nanmax(truth)
    known = np.isfinite(truth) & (truth > FARTHEST * largest)
    true = truth[known].astype(np.float64) / largest
    found = np.maximum(align(depth[known], true), FARTHEST)
    if where is not None:
        true, found = true[where[known]], found[where[known]]
    ratio = np.maximum(found / true, true / found)
    return {
        "abs_rel": float(np.mean(np.abs(true / found - 1))),
        "rmse": float(np.sqrt(np.mean((found - true) ** 2))),
        "delta1": float(np.mean(ratio < 1.25)),
    }


def means(scores: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each key over pictures or sequences, all with the same keys."""
    return {key: float(np.mean([score[key] for score in scores])) for key in scores[0]}
