"""The training loop: Fabric carries devices, precision and processes; a killed run goes on exactly.

A run is a folder: `last.pt` (everything, to go on), `best.pt` (the best averaged weights by
validation) and TensorBoard's events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from edge.accuracy import THRESHOLD, MaskCounts, count_mask, depth_scores, means
from edge.errors import EdgeError
from edge.samples.sample import Sample, resized
from train import losses
from train.checkpoint import load, save
from train.mix import Batch, Mix, Source
from train.networks import create, normalised


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. Two runs of the same recipe on the CPU give the same weights.

    data: `--data` arguments; pictures: how many make an epoch; batch: over all processes.
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
    average: float = 0.998
    clip: float = 1.0
    decay: float = 1e-2

    @property
    def steps(self) -> int:
        return max(1, self.epochs * self.pictures // self.batch)


def loss_parts(logits: Tensor, depth: Tensor, batch: Batch) -> dict[str, Tensor]:
    """The terms whose sum is trained: BCE + soft Dice (mask), SSI + MS-SSIM (depth)."""
    mask, counts, known = batch["mask"], batch["counts"], batch["known"]
    parts = {
        "bce": losses.bce(logits, mask, counts),
        "dice": losses.soft_dice(logits, mask, counts),
    }
    if bool(known.any()):
        parts["ssi"] = losses.scale_and_shift_invariant(depth, batch["depth"], known)
        parts["ms_ssim"] = losses.structure(depth, batch["depth"], known)
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


@torch.no_grad()
def validate(
    network: nn.Module, samples: Sequence[tuple[str, Sample]], device: Any
) -> dict[str, float]:
    """Mean F-measure over the sequences of `samples` (name, sample), mean delta1 over pictures.

    Pictures of any size: the network sees them at the multiple of its stride next below 224, the
    mask is scored at that size.
    """
    network.eval()
    counts: dict[str, MaskCounts] = {}
    depths: list[dict[str, float]] = []
    for name, sample in samples:
        small = resized(sample, 224, 224)
        pair = (torch.from_numpy(image)[None].to(device) for image in (small.bg, small.fg_bg))
        logits, depth = network(*(normalised(image) for image in pair))
        found = torch.sigmoid(logits)[0, 0].float().cpu().numpy() >= THRESHOLD
        counts[name] = counts.get(name, MaskCounts()) + count_mask(found, small.mask)
        if small.depth is not None and np.nanmax(small.depth) > 0:
            depths.append(depth_scores(depth[0, 0].float().cpu().numpy(), small.depth))
    network.train()
    scores = {"f_measure": means([count.scores() for count in counts.values()])["f_measure"]}
    if depths:
        scores["delta1"] = means(depths)["delta1"]
    scores["score"] = float(np.mean(list(scores.values())))
    return scores


@dataclass
class Progress:
    """What a caller sees after each step."""

    step: int
    steps: int
    loss: float
    scores: dict[str, float]


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

    every: steps between checkpoints (with validation). A run that ends early, by Ctrl-C too,
    leaves `last.pt`; with `resume` it goes on from there, with the same weights at the end as a
    run that was never stopped.
    """
    torch.manual_seed(recipe.seed)
    network = create(recipe.network)
    if recipe.imgsz % int(getattr(network, "stride", 1)):
        raise EdgeError(
            f"--imgsz {recipe.imgsz} is not a multiple of {network.stride},"
            f" the stride of {recipe.network}"
        )
    # Made before Fabric wraps the network, and never wrapped: only one process averages.
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = averaged(network, recipe.average)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    model, optimizer = fabric.setup(network, optimizer)
    step, best, history = 0, -1.0, {}
    last = out / "last.pt"
    if resume and last.is_file():
        state = load(last)
        if state["recipe"] != asdict(recipe):
            raise EdgeError(
                f"{last} was made by another recipe; give the same options as before,"
                " or another --out"
            )
        network.load_state_dict(state["raw"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, best, history = state["step"], state["best"], state["scores"]
    elif last.is_file():
        raise EdgeError(
            f"{out} holds a run already; --resume goes on with it, or give another --out"
        )

    if fabric.global_rank == 0:
        out.mkdir(parents=True, exist_ok=True)
    writer = SummaryWriter(str(out), purge_step=step) if fabric.global_rank == 0 else None

    def checkpoint() -> None:
        nonlocal best, history
        if fabric.global_rank != 0:
            return
        if validation:
            history = validate(average.module, validation, fabric.device)
        score = history.get("score", float(step))
        common = {
            "network": recipe.network,
            "recipe": asdict(recipe),
            "scores": history,
            "step": step,
        }
        if score >= best:
            best = score
            save(common | {"weights": average.module.state_dict()}, out / "best.pt")
        save(
            common
            | {
                "weights": average.module.state_dict(),
                "raw": network.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best,
            },
            last,
        )
        if writer:
            for name, value in history.items():
                writer.add_scalar(f"validation/{name}", value, step)

    series = Mix(
        sources,
        seed=recipe.seed,
        start=step * recipe.batch,
        end=recipe.steps * recipe.batch,
        batch=recipe.batch,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    loader = DataLoader(
        series, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
    )
    saved = step
    try:
        for batch in loader:
            batch = {name: value.to(fabric.device) for name, value in batch.items()}
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step)
            logits, depth = model(normalised(batch["bg"]), normalised(batch["fg_bg"]))
            parts = loss_parts(logits.float(), depth.float(), batch)
            loss = torch.stack(list(parts.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=recipe.clip)
            optimizer.step()
            average.update_parameters(network)
            step += 1
            if writer and (step % 20 == 0 or step == 1):
                for name, part in parts.items():
                    writer.add_scalar(f"loss/{name}", part.item(), step)
                writer.add_scalar("loss/total", loss.item(), step)
                writer.add_scalar("rate", learning_rate(recipe, step), step)
            if step % every == 0 or step == recipe.steps:
                if writer:
                    show(writer, batch, logits, depth, step)
                checkpoint()
                saved = step
            report(Progress(step, recipe.steps, loss.item(), history))
    except KeyboardInterrupt:
        if step > saved:
            checkpoint()
        raise
    finally:
        if writer:
            writer.close()
    if saved != step or not (out / "best.pt").is_file():
        checkpoint()
    return out / "best.pt"


def show(writer: SummaryWriter, batch: Batch, logits: Tensor, depth: Tensor, step: int) -> None:
    """Four pictures of the batch with truth and prediction, for TensorBoard."""
    few = slice(0, 4)
    frame = normalised(batch["fg_bg"][few]).flip(1)
    grey = [batch["mask"], torch.sigmoid(logits.float()), batch["depth"], depth.float()]
    rows = [frame, *(part[few].expand(-1, 3, -1, -1) for part in grey)]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    writer.add_image(
        "frame, mask (true, found), depth (true, found)", sheet.clamp(0, 1).detach(), step
    )
