"""A network in training: its weights, their average, its optimizer, and one step of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edge.calibrate.qdq import SCHEMES
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample
from edge.targets import targets
from edge.train.batchnorm import share_batchnorm
from edge.train.checkpoint import member, network_of, save
from edge.train.data.mix import Batch, Mix, WeightedSource, batches
from edge.train.distill import distillation_losses
from edge.train.folding import folded_norms, measure_statistics
from edge.train.losses import DEPTH, MASK
from edge.train.networks import check_size, create, network_inputs
from edge.train.networks.scene import SceneDepthNetwork, kept_scenes
from edge.train.networks.unet import UNet
from edge.train.networks.variant import Outputs, Variant
from edge.train.qat import Quantized
from edge.train.recipe import Recipe, learning_rate
from edge.train.validation import validate

MEASURED_BATCHES = 8
"""Batches that fix the activation ranges of int8 training, or the statistics of BatchNorm that was
folded."""


class Step(NamedTuple):
    """The results of a training step.

    Attributes:
        terms: The terms of the loss by name.
        logits: Mask logits, float [N, 1, H, W], or None.
        depth: Depth, float [N, 1, H, W], or None.
    """

    terms: dict[str, Tensor]
    logits: Tensor | None
    depth: Tensor | None


def loss_terms(
    logits: Tensor | None,
    depth: Tensor | None,
    batch: Batch,
    mask_loss: str = "bce+dice",
    depth_loss: str = "ssi+ms_ssim",
) -> dict[str, Tensor]:
    """Compute the terms whose sum is minimised.

    Args:
        logits: Mask logits, float [N, 1, H, W], or None.
        depth: Depth, float [N, 1, H, W], or None.
        batch: Labels.
        mask_loss: Names of train/losses/mask, joined by `+`.
        depth_loss: Names of train/losses/depth, joined by `+`.

    Returns:
        Each term by the name of its loss.
    """
    terms = {}
    if logits is not None:
        for name in mask_loss.split("+"):
            terms[name] = MASK[name](logits, batch["mask"], batch["counts"])
    if depth is not None:
        for name in depth_loss.split("+"):
            terms[name] = DEPTH[name](depth, batch["depth"], batch["known"])
    return terms


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of weights and buffers, which follows faster in the first steps.

    Args:
        network: What is averaged.
        decay: Weight of the old average once it is old.
    """

    def blend(averages: Any, currents: Any, count: Tensor | int) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        # All tensors at once: a loop would launch kernels for each of some hundred on a GPU.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, 1 - keep)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)


def first_images(recipe: Recipe, sources: Sequence[WeightedSource]) -> Iterator[Batch]:
    """Batches that a network is measured on before its training: the series of another seed, which
    the run does not train on."""
    end = MEASURED_BATCHES * recipe.batch
    return batches(Mix(sources, seed=recipe.seed + 1, start=0, end=end, batch=recipe.batch))


def quantize(network: nn.Module, recipe: Recipe, sources: Sequence[WeightedSource]) -> Quantized:
    """Simulate the int8 arithmetic of the recipe's target.

    Args:
        network: A network of ours.
        recipe: Its `qat` names the target.
        sources: They give the images that fix the activation ranges.

    Raises:
        UsageError: The network is not one of ours.
    """
    if not isinstance(network, UNet):
        raise UsageError(
            f"--qat supports our own networks only, not {recipe.network}",
            "build that network without --qat",
        )
    simulated = Quantized(network, SCHEMES[targets()[recipe.qat].scheme])
    simulated.calibrate(first_images(recipe, sources))
    return simulated


def take_scene(network: nn.Module, checkpoint: Path) -> None:
    """Take over and freeze the scene depth of a checkpoint.

    Args:
        network: A network of ours with both inputs and a depth output.
        checkpoint: A best.pt of such a network, or of `--network scene`.

    Raises:
        UsageError: One of both has no scene depth.
    """
    other, state = network_of(checkpoint)
    if not isinstance(other, SceneDepthNetwork) and not _knows_scene(other):
        raise UsageError(
            f"--scene {checkpoint} is a {state['network']} without a scene depth",
            "give one of `edge train --network scene`, or of our own networks with both inputs and"
            " a depth output",
        )
    if not _knows_scene(network):
        raise UsageError("--scene is for our own networks with both inputs and a depth output")
    network.take_scene(other)


def _knows_scene(network: nn.Module) -> TypeGuard[UNet]:
    return isinstance(network, UNet) and network.knows_scene


class Learner:
    """A network of a recipe, and the state of its training.

    Args:
        recipe: Of the run.
        name: Of the network.
        out: Folder of its best.pt.
        fabric: Devices, precision and processes.
        sources: What activation ranges and folded BatchNorm are measured on.
    """

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        out: Path,
        fabric: Fabric,
        sources: Sequence[WeightedSource],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.name, self.out = name, out
        self.variant = Variant(recipe.inputs, recipe.outputs)
        if recipe.start:
            start = Path(recipe.start)
            together = len(recipe.networks) > 1
            network, _ = network_of(member(start, name) if together else start)
            grows = self.variant.sees_spread and isinstance(network, UNet)
            if grows and not network.variant.sees_spread:  # type: ignore[union-attr]
                network.add_spread()  # type: ignore[operator]
        else:
            network = create(name, self.variant)
        if recipe.scene:
            take_scene(network, Path(recipe.scene))
        check_size(network, name, recipe.imgsz, recipe.imgsz)
        if not recipe.qat and folded_norms(network):
            images = first_images(recipe, sources)
            measure_statistics(network, map(network_inputs, images))
        network.train()
        self.plain = share_batchnorm(network) if fabric.world_size > 1 else network
        if recipe.qat:
            network = quantize(network, recipe, sources)
        self.recipe, self.fabric = recipe, fabric
        # channels_last: uint8 images come in that order, and CPUs and GPUs are faster with it.
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
        """Restore what `checkpoint` returned."""
        self.network.load_state_dict(state["trained"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.fill_(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_score, self.scores = state["best_score"], state["scores"]

    def checkpoint(self, validation: Sequence[tuple[str, Sample]], step: int) -> dict[str, Any]:
        """Score the averaged weights and save them if they are the best.

        Args:
            validation: (sequence, sample) each.
            step: Steps done.

        Returns:
            The state that `resume` continues from.
        """
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
        self, step: int, batch: Batch, inputs: tuple[Tensor, ...], target: Outputs | None
    ) -> Step:
        """Make one training step.

        Args:
            step: Its number, from 0.
            batch: Images and labels.
            inputs: bg, fg_bg and spread of the batch, float [N, 3, H, W] in 0..1.
            target: Distillation target of the images, or None.

        Raises:
            EdgeError: The gradients are not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, step)
        outputs = self.model(*inputs)
        logits, depth = (None if output is None else output.float() for output in outputs)
        terms = loss_terms(logits, depth, batch, self.recipe.mask_loss, self.recipe.depth_loss)
        if target:
            terms |= distillation_losses((logits, depth), target)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack(list(terms.values())).sum())
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.recipe.clip, error_if_nonfinite=False
        )
        # In float16 gradients overflow now and then by design: the scaler skips that step.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        if norm is not None and not (scaled or torch.isfinite(norm)):
            values = ", ".join(f"{name} {float(t.detach()):.3g}" for name, t in terms.items())
            raise EdgeError(
                f"step {step + 1} of {self.name}: the gradients are not finite ({values})",
                f"start again with a lower --rate than {self.recipe.rate:g}",
            )
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return Step(terms, logits, depth)
