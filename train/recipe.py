"""The recipe of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights of a run. The same recipe on the CPU gives the same weights.

    Attributes:
        network: A name of edge.train.networks, or several joined by commas, trained together.
        data: `--data` arguments.
        leave_out: Sequences that are never trained on.
        epochs: Passes of `pictures` images.
        pictures: Images per epoch.
        batch: Images per step over all processes.
        imgsz: Side of the training images in pixels.
        rate: Peak learning rate.
        seed: Seed of weights and images.
        inputs: See edge.train.networks.variant.
        outputs: See edge.train.networks.variant.
        mask_loss: Names of train/losses/mask, joined by `+`.
        depth_loss: Names of train/losses/depth, joined by `+`.
        start: Checkpoint, exported ONNX file or bundled network of the initial weights (of several
            networks the folder of their run or files); empty for fresh weights.
        distill: Networks to imitate, each as `start`.
        scene: A network of ours, as `start`, whose scene depth is taken over and frozen, or empty.
        qat: Target whose int8 arithmetic is simulated, or empty.
        depth_teacher: ONNX file that labels depth, or empty.
        whole: Train on whole images, not on random crops.
        validate: Samples that choose the best weights.
        precision: Fabric's precision.
        average: Decay of the averaged weights; half-life about 0.7 / (1 - average) steps.
        clip: Largest norm of the gradients.
        decay: Weight decay.
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
    """Learning rate of a step (from 0): linear warm-up over 3 % of the steps, then a cosine down to
    1 % of the peak."""
    warmup = max(1, round(0.03 * recipe.steps))
    if step < warmup:
        return recipe.rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, recipe.steps - warmup)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
