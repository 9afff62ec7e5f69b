"""Losses against reference vectors and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from train import losses

ROW, COL = np.mgrid[0:224, 0:224].astype(np.float64)
A = 0.5 + 0.3 * np.sin(0.11 * ROW) * np.cos(0.07 * COL) + 0.15 * np.sin(0.0221 * ROW + 0.029 * COL)
B = np.clip(0.9 * A + 0.04 + 0.05 * np.sin(0.5 * ROW + 0.3 * COL), 0, 1)
C = np.clip(A + 0.2 * (((7 * ROW + 13 * COL) % 11) / 10 - 0.5), 0, 1)
D = A.copy()
D[60:140, 80:150] = 0.9


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values)[None, None].float()


ONES = torch.ones(1, 1, 224, 224)


@pytest.mark.parametrize(("other", "ms_ssim"), [(B, 0.915556), (C, 0.933770), (D, 0.547990)])
def test_ms_ssim_of_the_reference_vectors(other: np.ndarray, ms_ssim: float) -> None:
    """numpy float64 of the definition; pytorch-msssim and piq agree to 1e-5."""
    loss = losses.structure(tensor(other), tensor(A), ONES)
    assert 1 - loss.item() == pytest.approx(ms_ssim, abs=2e-5)


def test_ms_ssim_needs_161_pixels() -> None:
    side = losses.MS_SSIM_SIDE
    small = tensor(A[:side, :side]), tensor(B[:side, :side]), torch.ones(1, 1, side, side)
    assert 1 - losses.structure(*small).item() == pytest.approx(0.916481, abs=2e-5)
    with pytest.raises(ValueError, match="at least 161 pixels a side, found 160x160"):
        losses.structure(*(part[..., :160, :160] for part in small))


def test_unknown_depth_pulls_nowhere() -> None:
    depth = tensor(B).requires_grad_()
    known = ONES.clone()
    known[..., 112:, :] = 0
    wild = tensor(A)
    wild[..., 112:, :] = 1e3
    loss = losses.scale_and_shift_invariant(depth, wild, known)
    loss = loss + losses.structure(depth, wild.clamp(0, 1), known)
    loss.backward()
    assert depth.grad is not None
    assert torch.isfinite(depth.grad).all()
    ssi = losses.scale_and_shift_invariant(tensor(B), wild, known)
    half = losses.scale_and_shift_invariant(
        tensor(B[:112]), tensor(A[:112]), torch.ones(1, 1, 112, 224)
    )
    assert ssi.item() == pytest.approx(half.item(), abs=1e-6)


def test_alignment_is_least_squares_per_picture() -> None:
    found, true = 1 / (9.5 * B + 0.5), 1 / (9.5 * A + 0.5)
    slope, offset = np.linalg.lstsq(
        np.stack([found.ravel(), np.ones(found.size)], 1), true.ravel(), rcond=None
    )[0]
    pair = torch.cat([tensor(found), tensor(3 * found + 0.2)])
    fitted = losses.aligned(pair, tensor(true).expand(2, -1, -1, -1), ONES.expand(2, -1, -1, -1))
    expected = tensor(slope * found + offset)
    assert torch.allclose(fitted[:1], expected, atol=1e-4)
    assert torch.allclose(fitted[1:], expected, atol=1e-4)


def test_depth_upside_down_is_not_aligned() -> None:
    loss = losses.scale_and_shift_invariant(tensor(1 - A), tensor(A), ONES)
    assert loss.item() == pytest.approx(np.abs(A - A.mean()).mean(), abs=1e-4)
    assert losses.scale_and_shift_invariant(tensor(0.3 * A + 0.1), tensor(A), ONES).item() < 1e-5


def test_bce_is_torchs_over_the_pixels_that_count(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(size=(2, 1, 9, 9))).float()
    mask = torch.from_numpy(rng.integers(0, 2, (2, 1, 9, 9))).float()
    counts = torch.ones_like(mask)
    assert losses.bce(logits, mask, counts).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(logits, mask).item(), abs=1e-6
    )
    counts[..., :4] = 0
    assert losses.bce(logits, mask, counts).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(logits[..., 4:], mask[..., 4:]).item(), abs=1e-6
    )
    assert losses.bce(logits, mask, torch.zeros_like(mask)).item() == 0


def test_soft_dice_of_hard_masks_is_the_f_measure() -> None:
    g = (ROW - 110) ** 2 + (COL - 100) ** 2 < 45**2
    p = (ROW - 118) ** 2 + (COL - 108) ** 2 < 42**2
    logits = tensor(np.where(p, 40.0, -40.0))
    loss = losses.soft_dice(logits, tensor(g.astype(np.float64)), ONES, smooth=0)
    assert 1 - loss.item() == pytest.approx(0.828812, abs=1e-5)


def test_soft_dice_of_an_empty_picture_found_empty_is_perfect() -> None:
    nothing = torch.zeros(1, 1, 8, 8)
    assert losses.soft_dice(nothing - 40, nothing, torch.ones_like(nothing)).item() < 1e-6


def test_distillation_is_the_divergence_of_bernoulli_distributions() -> None:
    logits, taught = torch.randn(2, 2, 1, 8, 8).double()
    depth, taught_depth = torch.rand(2, 2, 1, 8, 8).double()
    found = losses.distillation(logits, depth, taught, taught_depth)
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(logits=taught), torch.distributions.Bernoulli(logits=logits)
    )
    assert torch.isclose(found, divergence.mean() + (depth - taught_depth).abs().mean())
    assert losses.distillation(taught, taught_depth, taught, taught_depth).abs() < 1e-12
