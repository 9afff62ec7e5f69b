"""A network in training: its weights, their average, its optimizer, and one step of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeGuard

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edge.calibrate.qdq import SCHEMES
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample
from edge.targets.table import TARGETS
from edge.train import losses
from edge.train.batchnorm import shared
from edge.train.checkpoint import network_of, save
from edge.train.data.mix import Batch, Mix, Source
from edge.train.distill import imitation
from edge.train.networks import check_size, create
from edge.train.networks.scene import SceneDepthNetwork, kept_scenes
from edge.train.networks.unet import UNet
from edge.train.networks.variant import Outputs, Variant
from edge.train.qat import Quantized
from edge.train.recipe import Recipe, learning_rate
from edge.train.validation import validate

Step = tuple[dict[str, Tensor], Tensor | None, Tensor | None]
"""The terms of the loss by name, the mask's logits and the depth."""


def loss_parts(
    logits: Tensor | None,
    depth: Tensor | None,
    batch: Batch,
    mask_loss: str = "bce+dice",
    depth_loss: str = "ssi+ms_ssim",
) -> dict[str, Tensor]:
    """The terms whose sum is trained, by their names in edge.train.losses."""
    parts = {}
    if logits is not None:
        for name in losses.named(mask_loss, losses.MASK):
            parts[name] = losses.MASK[name](logits, batch["mask"], batch["counts"])
    if depth is not None:
        for name in losses.named(depth_loss, losses.DEPTH):
            parts[name] = losses.DEPTH[name](depth, batch["depth"], batch["known"])
    return parts


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Exponentially averaged weights and buffers; young averages follow faster."""

    def blend(averages: Any, currents: Any, count: Tensor | int) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        # All tensors at once: a loop launches kernels for each of some hundred on a GPU.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, 1 - keep)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)


CALIBRATED = 8
"""Batches that fix the ranges of a network that learns with int8 arithmetic."""


def quantized(
    network: nn.Module, recipe: Recipe, sources: Sequence[tuple[Source, float]]
) -> Quantized:
    """The network with the arithmetic of the recipe's target, its ranges fixed on pictures that
    the run does not train on (the series of another seed)."""
    if not isinstance(network, UNet):
        raise UsageError(
            f"--qat knows where our own networks are rounded, not {recipe.network};"
            " build that as it is"
        )
    found = Quantized(network, SCHEMES[TARGETS[recipe.qat].scheme])
    end = CALIBRATED * recipe.batch
    found.calibrate(Mix(sources, seed=recipe.seed + 1, start=0, end=end, batch=recipe.batch))
    return found


def take_scene(network: nn.Module, checkpoint: Path) -> None:
    """The scene's depth network of a checkpoint, for a network of ours that knows the scene."""
    other, state = network_of(checkpoint)
    if not isinstance(other, SceneDepthNetwork) and not _knows_scene(other):
        raise UsageError(
            f"--scene {checkpoint} is a {state['network']} without a depth of the scene; give one"
            " of `edge train --network scene`, or of our own networks that see bg and give depth"
        )
    if not _knows_scene(network):
        raise UsageError("--scene is for our own networks that see bg and give depth")
    network.take_scene(other)


def _knows_scene(network: nn.Module) -> TypeGuard[UNet]:
    return isinstance(network, UNet) and network.knows_scene


class Learner:
    """A network of a recipe, and everything that makes its next step.

    out: the folder of its best.pt.
    """

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        out: Path,
        fabric: Fabric,
        sources: Sequence[tuple[Source, float]],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.name, self.out = name, out
        self.variant = Variant(recipe.inputs, recipe.outputs)
        if recipe.start:
            start = Path(recipe.start)
            network, _ = network_of(start / name / "best.pt" if start.is_dir() else start)
        else:
            network = create(name, self.variant)
        if recipe.scene:
            take_scene(network, Path(recipe.scene))
        check_size(network, name, recipe.imgsz, recipe.imgsz)
        self.plain = shared(network.train()) if fabric.world_size > 1 else network.train()
        if recipe.qat:
            network = quantized(network, recipe, sources)
        self.recipe, self.fabric = recipe, fabric
        # channels_last: uint8 pictures come in that order, and CPUs and GPUs are faster with it.
        self.network = network.to(memory_format=torch.channels_last).to(fabric.device)  # type: ignore[call-overload]
        self.average = averaged(self.network, recipe.average)
        self.average.module.eval()
        optimizer = torch.optim.AdamW(
            self.network.parameters(), recipe.rate, weight_decay=recipe.decay
        )
        self.model, self.optimizer = fabric.setup(self.network, optimizer)
        self.best_score = -1.0
        self.scores: dict[str, float] = {}

    @property
    def best(self) -> Path:
        return self.out / "best.pt"

    def resume(self, state: dict[str, Any]) -> None:
        """Take up what `checkpoint` gave."""
        self.network.load_state_dict(state["trained"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.fill_(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_score, self.scores = state["best_score"], state["scores"]

    def checkpoint(self, validation: Sequence[tuple[str, Sample]], step: int) -> dict[str, Any]:
        """Score the averaged weights, keep them if they are the best, and give everything to go on
        from this step."""
        average = self.average.module
        self.scores = validate(average, validation, self.fabric.device)
        weights = {
            "network": self.name,
            "variant": asdict(self.variant),
            "recipe": asdict(self.recipe),
            "scores": self.scores,
            "step": step,
            "scene_kept": bool(kept_scenes(self.plain)),
            "weights": (
                average.weights(self.plain)
                if isinstance(average, Quantized)
                else average.state_dict()
            ),
        }
        if self.scores["score"] >= self.best_score:
            self.best_score = self.scores["score"]
            save(weights, self.best)
        return weights | {
            "trained": self.network.state_dict(),
            "average": average.state_dict(),
            "averaged": int(self.average.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "best_score": self.best_score,
        }

    def learn(
        self, step: int, batch: Batch, pair: tuple[Tensor, Tensor], taught: Outputs | None
    ) -> Step:
        """Step number `step` (from 0) on a batch, whose pictures are `pair`, normalised; taught is
        what others say of them."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, step)
        logits, depth = (None if out is None else out.float() for out in self.model(*pair))
        parts = loss_parts(logits, depth, batch, self.recipe.mask_loss, self.recipe.depth_loss)
        if taught:
            parts |= imitation((logits, depth), taught)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack(list(parts.values())).sum())
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.recipe.clip, error_if_nonfinite=False
        )
        # In float16 gradients overflow now and then by design: the scaler leaves that step out.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        if norm is not None and not (scaled or torch.isfinite(norm)):
            terms = ", ".join(f"{name} {float(part.detach()):.3g}" for name, part in parts.items())
            raise EdgeError(
                f"step {step + 1} of {self.name}: the gradients are not finite ({terms}); begin"
                f" again with a lower --rate than {self.recipe.rate:g}"
            )
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return parts, logits, depth
