"""Losses against reference vectors and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edge.train import losses
from edge.train.distill import divergence
from edge.train.losses.depth.berhu import berhu
from edge.train.losses.depth.gradient import gradient_matching
from edge.train.losses.depth.l1 import l1
from edge.train.losses.depth.ms_ssim import MIN_SIDE, ms_ssim_loss
from edge.train.losses.depth.ratio import log_ratio
from edge.train.losses.depth.ssi import align, scale_and_shift_invariant
from edge.train.losses.depth.ssim import ssim_loss
from edge.train.losses.mask.bce import bce
from edge.train.losses.mask.dice import soft_dice

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
    loss = ms_ssim_loss(tensor(other), tensor(A), ONES)
    assert 1 - loss.item() == pytest.approx(ms_ssim, abs=2e-5)


def test_ms_ssim_needs_161_pixels() -> None:
    side = MIN_SIDE
    small = tensor(A[:side, :side]), tensor(B[:side, :side]), torch.ones(1, 1, side, side)
    assert 1 - ms_ssim_loss(*small).item() == pytest.approx(0.916481, abs=2e-5)
    with pytest.raises(ValueError, match="at least 161 pixels a side, found 160x160"):
        ms_ssim_loss(*(part[..., :160, :160] for part in small))


@pytest.mark.parametrize(("other", "ssim"), [(B, 0.742458), (C, 0.378040), (D, 0.897000)])
def test_ssim_of_the_reference_vectors(other: np.ndarray, ssim: float) -> None:
    loss = ssim_loss(tensor(other), tensor(A), ONES)
    assert 1 - loss.item() == pytest.approx(ssim, abs=1e-5)
    small = ssim_loss(*(t[..., 40:104, 60:124] for t in (tensor(other), tensor(A), ONES)))
    assert 0 < small.item() < 1


def test_ssim_of_a_batch_is_the_mean_over_its_pictures() -> None:
    depth, target = torch.cat([tensor(B), tensor(C)]), torch.cat([tensor(A), tensor(A)])
    known = torch.ones(2, 1, 224, 224)
    known[1, :, 100:] = 0
    for loss in (ms_ssim_loss, ssim_loss):
        each = [loss(*(part[i : i + 1] for part in (depth, target, known))) for i in range(2)]
        assert loss(depth, target, known).item() == pytest.approx(np.mean(each), abs=1e-6)


def test_l1_and_berhu_of_the_reference_vectors() -> None:
    """numpy float64 of the definitions, in metres as the vectors' depths are."""
    predicted, target = 9.5 * B + 0.5, 9.5 * A + 0.5
    error = np.abs(predicted - target)
    loss = l1(tensor(predicted), tensor(target), ONES)
    assert loss.item() == pytest.approx(error.mean(), rel=1e-5)
    limit = 0.2 * error.max()
    expected = np.where(error <= limit, error, (error**2 + limit**2) / (2 * limit)).mean()
    loss = berhu(tensor(predicted), tensor(target), ONES)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert expected > error.mean()


@pytest.mark.parametrize("name", losses.DEPTH)
def test_every_depth_loss_falls_towards_the_truth_and_ignores_the_unknown(name: str) -> None:
    loss, known = losses.DEPTH[name], ONES.clone()
    known[..., :20] = 0
    wild = tensor(A)
    wild[..., :20] = 0.999
    depth = tensor(B).requires_grad_()
    far, near = loss(depth, wild, known), loss(tensor(0.5 * (A + B)), wild, known)
    assert far.item() > near.item() > loss(tensor(A), tensor(A), known).item() - 1e-6
    assert loss(tensor(A), tensor(A), known).item() == pytest.approx(0, abs=1e-5)
    far.backward()
    assert depth.grad is not None and torch.isfinite(depth.grad).all()


def test_a_constant_depth_is_worse_than_a_good_one_by_every_loss() -> None:
    """By soft Dice it would be better, which is why depth has none."""
    constant = tensor(np.full_like(A, 1.0))
    for loss in losses.DEPTH.values():
        assert loss(constant, tensor(A), ONES).item() > loss(tensor(B), tensor(A), ONES).item()

    def dice(x: np.ndarray) -> float:
        return 1 - 2 * (x * A).sum() / (x.sum() + A.sum())

    assert dice(np.full_like(A, 1.0)) < dice(np.clip(A - 0.25, 0, 1))


def test_losses_by_name() -> None:
    assert losses.parse_losses("bce+dice", losses.MASK, 64) == ("bce", "dice")
    with pytest.raises(
        ValueError, match=r"unknown loss 'dice'; known, joined by \+: berhu, gradient, l1"
    ):
        losses.parse_losses("dice", losses.DEPTH, 224)
    with pytest.raises(ValueError, match=r"ms_ssim needs images of at least 161 .* found 64"):
        losses.parse_losses("ssi+ms_ssim", losses.DEPTH, 64)
    assert losses.default_depth_loss(161) == "ssi+ms_ssim"
    assert losses.default_depth_loss(160) == "ssi+ssim"


def test_every_file_registers_its_loss() -> None:
    assert sorted(losses.MASK) == ["bce", "dice"]
    assert sorted(losses.DEPTH) == ["berhu", "gradient", "l1", "ms_ssim", "ratio", "ssi", "ssim"]


def test_unknown_depth_pulls_nowhere() -> None:
    depth = tensor(B).requires_grad_()
    known = ONES.clone()
    known[..., 112:, :] = 0
    wild = tensor(A)
    wild[..., 112:, :] = 1e3
    loss = scale_and_shift_invariant(depth, wild, known)
    loss = loss + ms_ssim_loss(depth, wild.clamp(0, 1), known)
    loss.backward()
    assert depth.grad is not None
    assert torch.isfinite(depth.grad).all()
    ssi = scale_and_shift_invariant(tensor(B), wild, known)
    half = scale_and_shift_invariant(tensor(B[:112]), tensor(A[:112]), torch.ones(1, 1, 112, 224))
    assert ssi.item() == pytest.approx(half.item(), abs=1e-6)


def test_alignment_is_least_squares_per_picture() -> None:
    predicted, target = 1 / (9.5 * B + 0.5), 1 / (9.5 * A + 0.5)
    slope, offset = np.linalg.lstsq(
        np.stack([predicted.ravel(), np.ones(predicted.size)], 1), target.ravel(), rcond=None
    )[0]
    pair = torch.cat([tensor(predicted), tensor(3 * predicted + 0.2)])
    fitted = align(pair, tensor(target).expand(2, -1, -1, -1), ONES.expand(2, -1, -1, -1))
    expected = tensor(slope * predicted + offset)
    assert torch.allclose(fitted[:1], expected, atol=1e-4)
    assert torch.allclose(fitted[1:], expected, atol=1e-4)


def test_depth_upside_down_is_not_aligned() -> None:
    loss = scale_and_shift_invariant(tensor(1 - A), tensor(A), ONES)
    assert loss.item() == pytest.approx(np.abs(A - A.mean()).mean(), abs=1e-4)
    assert scale_and_shift_invariant(tensor(0.3 * A + 0.1), tensor(A), ONES).item() < 1e-5


def test_bce_is_torchs_over_the_pixels_that_count(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(size=(2, 1, 9, 9))).float()
    mask = torch.from_numpy(rng.integers(0, 2, (2, 1, 9, 9))).float()
    counts = torch.ones_like(mask)
    assert bce(logits, mask, counts).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(logits, mask).item(), abs=1e-6
    )
    counts[..., :4] = 0
    assert bce(logits, mask, counts).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(logits[..., 4:], mask[..., 4:]).item(), abs=1e-6
    )
    assert bce(logits, mask, torch.zeros_like(mask)).item() == 0


def test_soft_dice_of_hard_masks_is_the_f_measure() -> None:
    g = (ROW - 110) ** 2 + (COL - 100) ** 2 < 45**2
    p = (ROW - 118) ** 2 + (COL - 108) ** 2 < 42**2
    logits = tensor(np.where(p, 40.0, -40.0))
    loss = soft_dice(logits, tensor(g.astype(np.float64)), ONES, smooth=0)
    assert 1 - loss.item() == pytest.approx(0.828812, abs=1e-5)


def test_soft_dice_of_an_empty_picture_found_empty_is_perfect() -> None:
    nothing = torch.zeros(1, 1, 8, 8)
    assert soft_dice(nothing - 40, nothing, torch.ones_like(nothing)).item() < 1e-6


def test_divergence_is_that_of_bernoulli_distributions() -> None:
    logits, target = torch.randn(2, 2, 1, 8, 8).double()
    loss = divergence(logits, target)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(logits=target), torch.distributions.Bernoulli(logits=logits)
    )
    assert torch.isclose(loss, expected.mean())
    assert divergence(target, target).abs() < 1e-12


def test_gradient_matching_of_a_step_that_is_missing() -> None:
    """Flat depth before a target with a step of 1 between columns 3 and 4 of 8: at every scale one
    pair of neighbours in a row differs by 1, of 7, 3, 1 and 0 pairs; a scale of one column is 0."""
    target = torch.zeros(1, 1, 16, 8)
    target[..., 4:] = 1
    flat, known = torch.full_like(target, 0.3), torch.ones_like(target)
    expected = (1 / 7 + 1 / 3 + 1) / 2
    assert gradient_matching(flat, target, known).item() == pytest.approx(expected, abs=1e-6)
    assert gradient_matching(0.5 * target + 0.2, target, known).item() == pytest.approx(0, abs=1e-6)
    known[..., 3:5] = 0  # the step is between no two neighbours that are known
    assert gradient_matching(flat, target, known).item() == pytest.approx(0, abs=1e-6)


def test_log_ratio_measures_distances_where_there_are_some() -> None:
    target = 0.2 + 0.6 * tensor(A)
    assert log_ratio(0.4 * target + 0.1, target, ONES).item() == pytest.approx(0, abs=1e-5)
    flat = torch.full_like(target, 0.3)
    expected = np.abs(np.log(target.numpy() / target.mean().item())).mean()
    assert log_ratio(flat, target, ONES).item() == pytest.approx(expected, rel=1e-5)
    # Halved or in other units, the distances have the same ratios.
    assert log_ratio(flat, 5 * target, ONES).item() == pytest.approx(expected, rel=1e-5)
    stretched = (target - target.min()) / (target.max() - target.min())
    both = log_ratio(torch.cat([flat, flat]), torch.cat([target, stretched]), torch.cat([ONES] * 2))
    assert both.item() == pytest.approx(expected / 2, rel=1e-5)
    assert log_ratio(flat, target, 0 * ONES).item() == 0
