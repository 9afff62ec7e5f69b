"""The training loop: Fabric carries devices, precision and processes; a killed run goes on exactly.

A run is a folder: `last.pt` (everything, to go on), `best.pt` (the best averaged weights by
validation) and TensorBoard's events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeGuard

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from calibrate.qdq import SCHEMES
from edge.errors import EdgeError, UsageError
from edge.files import claimed
from edge.samples.sample import Sample
from edge.targets import TARGETS
from train import losses
from train.batchnorm import shared
from train.checkpoint import load, network_of, save, scene_kept
from train.distill import imitation, lesson, teacher_of
from train.interrupt import unbroken
from train.mix import Batch, Mix, Source
from train.networks import check_size, create, normalised
from train.networks.scene import Scene
from train.networks.unet import UNet
from train.networks.variant import Variant
from train.qat import Quantized
from train.spoil_batch import spoiled
from train.validation import validate

LOGGED = 20
"""Steps between two entries for TensorBoard."""


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. Two runs of the same recipe on the CPU give the same weights.

    data: `--data` arguments; pictures: how many make an epoch; batch: over all processes.
    inputs, outputs: see train.networks.variant; mask_loss, depth_loss: names of train.losses.
    start: checkpoint whose weights the run begins with; distill: checkpoints of networks that are
    imitated as well; scene: checkpoint of a network of ours whose depth of the scene is taken and
    kept; qat: target whose int8 arithmetic the network learns with; depth_teacher: ONNX file that
    labels depth; each empty for none. whole: pictures are shown as they are, not parts of them.
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
    def steps(self) -> int:
        return max(1, self.epochs * self.pictures // self.batch)


@dataclass(frozen=True)
class Progress:
    """What a caller is told after each step."""

    step: int
    steps: int
    loss: float
    scores: dict[str, float]


def loss_parts(
    logits: Tensor | None,
    depth: Tensor | None,
    batch: Batch,
    mask_loss: str = "bce+dice",
    depth_loss: str = "ssi+ms_ssim",
) -> dict[str, Tensor]:
    """The terms whose sum is trained, by their names in train.losses."""
    parts = {}
    if logits is not None:
        for name in losses.named(mask_loss, losses.MASK):
            parts[name] = losses.MASK[name](logits, batch["mask"], batch["counts"])
    if depth is not None:
        for name in losses.named(depth_loss, losses.DEPTH):
            parts[name] = losses.DEPTH[name](depth, batch["depth"], batch["known"])
    return parts


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over 3 % of the steps, then a cosine down to 1 % of the rate."""
    warm = max(1, round(0.03 * recipe.steps))
    if step < warm:
        return recipe.rate * (step + 1) / warm
    done = (step - warm) / max(1, recipe.steps - warm)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Exponentially averaged weights and buffers; young averages follow faster."""

    def blend(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return average + (current - average) * (1 - keep)

    return AveragedModel(network, avg_fn=blend, use_buffers=True)


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
    if not isinstance(other, Scene) and not _knows_scene(other):
        raise UsageError(
            f"--scene {checkpoint} is a {state['network']} without a depth of the scene; give one"
            " of `edge train --network scene`, or of our own networks that see bg and give depth"
        )
    if not _knows_scene(network):
        raise UsageError("--scene is for our own networks that see bg and give depth")
    network.take_scene(other)


def _knows_scene(network: nn.Module) -> TypeGuard[UNet]:
    return isinstance(network, UNet) and network.knows_scene


class Run:
    """A network in training, and everything that makes its next step."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        fabric: Fabric,
        sources: Sequence[tuple[Source, float]],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.variant = Variant(recipe.inputs, recipe.outputs)
        if recipe.start:
            network, _ = network_of(Path(recipe.start))
        else:
            network = create(recipe.network, self.variant)
        if recipe.scene:
            take_scene(network, Path(recipe.scene))
        taught = (teacher_of(Path(one), self.variant, recipe.imgsz) for one in recipe.distill)
        self.teachers = [teacher.to(fabric.device) for teacher in taught]
        check_size(network, recipe.network, recipe.imgsz, recipe.imgsz)
        self.plain = shared(network.train()) if fabric.world_size > 1 else network.train()
        if recipe.qat:
            network = quantized(network, recipe, sources)
        self.recipe, self.fabric = recipe, fabric
        self.last, self.best = out / "last.pt", out / "best.pt"
        # channels_last: uint8 pictures come in that order, and CPUs and GPUs are faster with it.
        self.network = network.to(memory_format=torch.channels_last).to(fabric.device)  # type: ignore[call-overload]
        self.average = averaged(self.network, recipe.average)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), recipe.rate, weight_decay=recipe.decay
        )
        self.model, self.optimizer = fabric.setup(self.network, optimizer)
        self.step, self.best_score = 0, -1.0
        self.scores: dict[str, float] = {}

    def resume(self) -> None:
        """Take up the run where its last checkpoint left it."""
        state = load(self.last)
        if state["recipe"] != asdict(self.recipe):
            raise EdgeError(
                f"{self.last} was made by another recipe, or another version; give the same options"
                " as before, or another --out"
            )
        self.network.load_state_dict(state["trained"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.fill_(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.step, self.best_score = state["step"], state["best_score"]
        self.scores = state["scores"]

    def checkpoint(self, validation: Sequence[tuple[str, Sample]]) -> None:
        """Score the averaged weights; keep them if they are the best, and everything to go on."""
        average = self.average.module
        self.scores = validate(average, validation, self.fabric.device)
        weights = {
            "network": self.recipe.network,
            "variant": asdict(self.variant),
            "recipe": asdict(self.recipe),
            "scores": self.scores,
            "step": self.step,
            "scene_kept": scene_kept(self.plain),
            "weights": (
                average.weights(self.plain)
                if isinstance(average, Quantized)
                else average.state_dict()
            ),
        }
        if self.scores["score"] >= self.best_score:
            self.best_score = self.scores["score"]
            save(weights, self.best)
        state = {
            "trained": self.network.state_dict(),
            "average": average.state_dict(),
            "averaged": int(self.average.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "best_score": self.best_score,
        }
        save(weights | state, self.last)

    def learn(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        """One step on a batch; returns the terms of the loss, the logits and the depth."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        pair = normalised(batch["bg"]), normalised(batch["fg_bg"])
        logits, depth = (None if out is None else out.float() for out in self.model(*pair))
        parts = loss_parts(logits, depth, batch, self.recipe.mask_loss, self.recipe.depth_loss)
        if self.teachers:
            with torch.no_grad(), self.fabric.autocast():
                taught = lesson(self.teachers, self.step, *pair)
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
                f"step {self.step + 1}: the gradients are not finite ({terms}); begin again with a"
                f" lower --rate than {self.recipe.rate:g}"
            )
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return parts, logits, depth

    def over_all(self, term: Tensor) -> float:
        """The mean of a term over all processes."""
        found = self.fabric.all_reduce(term.detach(), reduce_op="mean")
        return float(found)  # type: ignore[arg-type]

    def loader(self, sources: Sequence[tuple[Source, float]], workers: int) -> DataLoader[Batch]:
        """The batches that are still to come."""
        size = self.recipe.batch
        series = Mix(
            sources,
            seed=self.recipe.seed,
            start=self.step * size,
            end=self.recipe.steps * size,
            batch=size,
            rank=self.fabric.global_rank,
            world=self.fabric.world_size,
            raw=self.fabric.device.type != "cpu",
        )
        ahead = 4 if workers else None
        return DataLoader(series, batch_size=None, num_workers=workers, prefetch_factor=ahead)


def train(
    recipe: Recipe,
    sources: Sequence[tuple[Source, float]],
    validation: Sequence[tuple[str, Sample]],
    out: Path,
    *,
    fabric: Fabric,
    resume: bool,
    workers: int,
    every: int,
    report: Callable[[Progress], None],
) -> Path:
    """Train and return the path of `best.pt`.

    every: steps between checkpoints. A run that ends early leaves `last.pt`, after Ctrl-C and
    SIGTERM of its last step; with `resume` it goes on from there, with the same weights at the end
    as a run that was never stopped.
    """
    first = fabric.global_rank == 0
    busy = f"another training is at work in {out}; wait for its end, or give another --out"
    with claimed(out, busy) if first else nullcontext():
        run = Run(recipe, out, fabric, sources)
        if resume and run.last.is_file():
            run.resume()
        elif run.last.is_file():
            raise EdgeError(
                f"{out} holds a run already; --resume goes on with it, or give another --out"
            )
        _learn(run, run.loader(sources, workers), validation, every, report)
    return run.best


def _learn(
    run: Run,
    batches: Iterable[Batch],
    validation: Sequence[tuple[str, Sample]],
    every: int,
    report: Callable[[Progress], None],
) -> None:
    """The steps that are left, one for each batch."""
    fabric = run.fabric
    first = fabric.global_rank == 0
    writer = SummaryWriter(str(run.last.parent), purge_step=run.step) if first else None
    saved = run.step
    try:
        for batch in batches:
            batch = spoiled({name: value.to(fabric.device) for name, value in batch.items()})
            with unbroken():
                terms, logits, depth = run.learn(batch)
            parts = {name: run.over_all(term) for name, term in terms.items()}
            due = run.step % every == 0 or run.step == run.recipe.steps
            if due and first:
                run.checkpoint(validation)
                saved = run.step
            if writer and (due or run.step % LOGGED == 0):
                _log(writer, run, parts)
            if writer and due:
                _show(writer, run.step, batch, logits, depth)
            report(Progress(run.step, run.recipe.steps, sum(parts.values()), run.scores))
    except (KeyboardInterrupt, SystemExit):
        if first and run.step > saved:
            run.checkpoint(validation)
        raise
    finally:
        if writer:
            writer.close()


def _log(writer: SummaryWriter, run: Run, parts: dict[str, float]) -> None:
    for name, part in parts.items():
        writer.add_scalar(f"loss/{name}", part, run.step)
    for name, value in run.scores.items():
        writer.add_scalar(f"validation/{name}", value, run.step)
    writer.add_scalar("rate", learning_rate(run.recipe, run.step), run.step)


def _show(
    writer: SummaryWriter, step: int, batch: Batch, logits: Tensor | None, depth: Tensor | None
) -> None:
    """Four pictures of the batch with truth and prediction (grey where there is none)."""
    few = slice(0, 4)
    frame = normalised(batch["fg_bg"][few]).flip(1)
    none = torch.full_like(batch["mask"], 0.5)
    found = none if logits is None else torch.sigmoid(logits)
    grey = [batch["mask"], found, batch["depth"], none if depth is None else depth]
    rows = [frame, *(part[few].expand(-1, 3, -1, -1) for part in grey)]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    name = "frame, mask (true, found), depth (true, found)"
    writer.add_image(name, sheet.clamp(0, 1).detach(), step)
