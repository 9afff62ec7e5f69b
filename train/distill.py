"""Knowledge distillation: targets from other networks, and the losses against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import UsageError
from edge.train.checkpoint import network_of
from edge.train.networks import check_size
from edge.train.networks.scene import kept_scenes
from edge.train.networks.variant import Outputs, Variant


def load_teacher(checkpoint: Path, variant: Variant, imgsz: int) -> nn.Module:
    """Load the network of a checkpoint as a teacher.

    Args:
        checkpoint: As of `edge.train.checkpoint.load`.
        variant: Of the network that is trained.
        imgsz: Side of the training images in pixels.

    Raises:
        UsageError: Teacher and student share no output, or the teacher does not work at that size.
    """
    network, state = network_of(checkpoint)
    teacher = Variant(**state.get("variant", {}))
    share_mask = teacher.gives_mask and variant.gives_mask
    if not (share_mask or (teacher.gives_depth and variant.gives_depth)):
        raise UsageError(
            f"--distill {checkpoint} has outputs {teacher.outputs}, the trained network"
            f" {variant.outputs}: they share no output"
        )
    check_size(network, f"{state['network']} of --distill {checkpoint}", imgsz, imgsz)
    return network


def distillation_target(
    teachers: Sequence[nn.Module],
    step: int,
    inputs: tuple[Tensor, ...],
    *,
    single_pass: bool = False,
) -> Outputs:
    """Outputs of one teacher, every other step from the mirrored images.

    Teachers alternate: the gradient of the divergence is linear in the target probabilities, so
    alternating equals learning from their mean mask. Of depths it approximates the median.

    Args:
        teachers: At least one, in evaluation mode.
        step: Number of the training step, from 0.
        inputs: bg, fg_bg and spread, float [N, 3, H, W] in 0..1.
        single_pass: Skip test-time augmentation of frozen scene depths, for a student that does not
            learn the scene's depth.
    """
    turn, mirrored = divmod(step, 2)
    teacher = teachers[turn % len(teachers)]
    with _single_scene_pass(teacher) if single_pass else nullcontext():
        if not mirrored:
            return teacher(*inputs)  # type: ignore[no-any-return]
        outputs = teacher(*(image.flip(3) for image in inputs))
    logits, depth = (None if output is None else output.flip(3) for output in outputs)
    return logits, depth


@contextmanager
def _single_scene_pass(teacher: nn.Module) -> Iterator[None]:
    """Make frozen scene depths run a single pass, as in training: test-time augmentation is more
    work than the rest of a teacher."""
    frozen = kept_scenes(teacher)
    for scene in frozen:
        scene.train()
    try:
        yield
    finally:
        for scene in frozen:
            scene.eval()


def distillation_losses(
    outputs: Sequence[Tensor | None], target: Sequence[Tensor | None]
) -> dict[str, Tensor]:
    """Losses of a student's outputs against a distillation target.

    Args:
        outputs: Logits and depth, float [N, 1, H, W] or None.
        target: Logits and depth of the teacher; only what both have is compared.
    """
    terms = {}
    (logits, depth), (target_logits, target_depth) = outputs, target
    if logits is not None and target_logits is not None:
        terms["imitated_mask"] = divergence(logits, target_logits.float())
    if depth is not None and target_depth is not None:
        terms["imitated_depth"] = (depth - target_depth.float()).abs().mean()
    return terms


def divergence(logits: Tensor, target_logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the mask probabilities from a teacher's (Hinton et al. 2015,
    at temperature 1).

    Args:
        logits: float [N, 1, H, W].
        target_logits: float [N, 1, H, W].
    """
    target = torch.sigmoid(target_logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
    return cross_entropy - F.binary_cross_entropy_with_logits(target_logits, target)
