"""Learning from other networks: what they say of a batch, and how far a network is from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from torch import Tensor, nn

from edge.errors import UsageError
from edge.train import losses
from edge.train.checkpoint import network_of
from edge.train.networks import check_size
from edge.train.networks.scene import kept_scenes
from edge.train.networks.variant import Outputs, Variant


def teacher_of(checkpoint: Path, variant: Variant, imgsz: int) -> nn.Module:
    """The network of a checkpoint, to be imitated by one of `variant` on pictures of that size."""
    network, state = network_of(checkpoint)
    gives = Variant(**state.get("variant", {}))
    masks = gives.gives_mask and variant.gives_mask
    if not (masks or (gives.gives_depth and variant.gives_depth)):
        raise UsageError(
            f"--distill {checkpoint} gives {gives.outputs}, what is trained {variant.outputs}:"
            " there is nothing to imitate"
        )
    check_size(network, f"{state['network']} of --distill {checkpoint}", imgsz, imgsz)
    return network


def lesson(
    teachers: Sequence[nn.Module], step: int, bg: Tensor, fg_bg: Tensor, *, quick: bool = False
) -> Outputs:
    """What the teacher whose turn it is says of a batch, every other time of its mirror image.

    Learning masks from each in turn is learning them from the mean of all: the gradient of their
    divergence is linear in the probabilities that are taught. Of depths it is about the median.
    quick: who learns keeps its depth of the scene and has nothing to learn from four looks at it.
    """
    turn, mirrored = divmod(step, 2)
    teacher = teachers[turn % len(teachers)]
    with _one_look(teacher) if quick else nullcontext():
        if not mirrored:
            return teacher(bg, fg_bg)  # type: ignore[no-any-return]
        said = teacher(bg.flip(3), fg_bg.flip(3))
    logits, depth = (None if out is None else out.flip(3) for out in said)
    return logits, depth


@contextmanager
def _one_look(teacher: nn.Module) -> Iterator[None]:
    """A kept depth of the scene looks once, as in training: four looks are more work than all the
    rest of a teacher."""
    kept = kept_scenes(teacher)
    for scene in kept:
        scene.train()
    try:
        yield
    finally:
        for scene in kept:
            scene.eval()


def imitation(found: Sequence[Tensor | None], taught: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """How far logits and depth are from those of a network that is imitated."""
    parts = {}
    (logits, depth), (taught_logits, taught_depth) = found, taught
    if logits is not None and taught_logits is not None:
        parts["imitated_mask"] = losses.divergence(logits, taught_logits.float())
    if depth is not None and taught_depth is not None:
        parts["imitated_depth"] = (depth - taught_depth.float()).abs().mean()
    return parts
