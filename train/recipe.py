"""What a training is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. Two runs of the same recipe on the CPU give the same weights.

    network: a name of edge.train.networks, or several joined by commas, which learn together.
    data: `--data` arguments; pictures: how many make an epoch; batch: over all processes.
    inputs, outputs: see edge.train.networks.variant; mask_loss, depth_loss: names of train.losses.
    start: checkpoint whose weights the run begins with, of several networks the folder of their
    run; distill: checkpoints of networks that are imitated as well; scene: checkpoint of a network
    of ours whose depth of the scene is taken and kept; qat: target whose int8 arithmetic is learned
    with; depth_teacher: ONNX file that labels depth; each empty for none. whole: pictures are shown
    as they are, not parts of them.
    validate: what chooses the best weights; precision: Fabric's.
    average: how fast the averaged weights follow (their half-life is about 0.7 / (1 - average)
    steps).
    """

    network: str
    data: tuple[str, ...]
    leave_out: tuple[str, ...]
    epochs: int
    pictures: int
    batch: int
    imgsz: int
    rate: float
    seed: int
    inputs: str = "both"
    outputs: str = "both"
    mask_loss: str = "bce+dice"
    depth_loss: str = "ssi+ms_ssim"
    start: str = ""
    distill: tuple[str, ...] = ()
    scene: str = ""
    qat: str = ""
    depth_teacher: str = ""
    whole: bool = False
    validate: tuple[str, ...] = ()
    precision: str = "32-true"
    average: float = 0.998
    clip: float = 1.0
    decay: float = 1e-2

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(self.network.split(","))

    @property
    def steps(self) -> int:
        return max(1, self.epochs * self.pictures // self.batch)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over 3 % of the steps, then a cosine down to 1 % of the rate."""
    warm = max(1, round(0.03 * recipe.steps))
    if step < warm:
        return recipe.rate * (step + 1) / warm
    done = (step - warm) / max(1, recipe.steps - warm)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
