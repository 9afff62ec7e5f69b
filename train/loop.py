"""The training loop: Fabric carries devices, precision and processes; a killed run goes on exactly.

A run is a folder: `last.pt` (everything, to go on), `best.pt` (the best averaged weights by
validation) and TensorBoard's events. Of networks that learn together each has a folder of its name
in there for the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from edge.errors import EdgeError
from edge.files import claimed
from edge.samples.sample import Sample
from edge.train.augment.photometric_batch import spoiled
from edge.train.checkpoint import load_run, save
from edge.train.data.mix import Batch, Mix, Source
from edge.train.distill import lesson, teacher_of
from edge.train.interrupt import unbroken
from edge.train.learner import Learner, Step
from edge.train.networks import normalised
from edge.train.networks.scene import kept_scenes
from edge.train.networks.variant import Outputs
from edge.train.recipe import Recipe, learning_rate

LOGGED = 20
"""Steps between two entries for TensorBoard."""
APART = 0.25
"""Share of a run after which networks that learn together from fresh weights imitate each other;
before, none of them knows enough."""


@dataclass(frozen=True)
class Progress:
    """What a caller is told after each step."""

    step: int
    steps: int
    loss: float
    scores: dict[str, float]


class Run:
    """The networks of a recipe, which learn from the same pictures.

    Where they are several, each also learns to find the masks that the averaged weights of all of
    them find (mutual learning, Zhang et al. 2018, from mean teachers, Tarvainen & Valpola 2017).
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        fabric: Fabric,
        sources: Sequence[tuple[Source, float]],
    ) -> None:
        self.recipe, self.fabric = recipe, fabric
        self.last = out / "last.pt"
        self.together = len(recipe.networks) > 1
        self.learners = [
            Learner(recipe, name, out / name if self.together else out, fabric, sources)
            for name in recipe.networks
        ]
        if self.together:
            self.teachers = [learner.average.module for learner in self.learners]
        else:
            variant = self.learners[0].variant
            taught = (teacher_of(Path(one), variant, recipe.imgsz) for one in recipe.distill)
            self.teachers = [teacher.to(fabric.device) for teacher in taught]
        self.keeps_scene = all(kept_scenes(learner.plain) for learner in self.learners)
        self.step = 0

    @property
    def scores(self) -> dict[str, float]:
        """Of the last checkpoint."""
        if not self.together:
            return self.learners[0].scores
        return {
            f"{learner.name} {name}": value
            for learner in self.learners
            for name, value in learner.scores.items()
        }

    def resume(self) -> None:
        """Take up the run where its last checkpoint left it."""
        state = load_run(self.last)
        if state["recipe"] != asdict(self.recipe):
            raise EdgeError(
                f"{self.last} was made by another recipe, or another version; give the same options"
                " as before, or another --out"
            )
        for learner, own in zip(self.learners, state.get("learners", [state]), strict=True):
            learner.resume(own)
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.step = state["step"]

    def checkpoint(self, validation: Sequence[tuple[str, Sample]]) -> None:
        """Score the averaged weights; keep the best, and everything to go on, in one file."""
        states = [learner.checkpoint(validation, self.step) for learner in self.learners]
        whole = {"recipe": asdict(self.recipe), "step": self.step, "learners": states}
        state = whole if self.together else states[0]
        save(state | {"precision": self.fabric.strategy.precision.state_dict()}, self.last)

    def learn(self, batch: Batch) -> list[Step]:
        """One step of each network on a batch."""
        pair = normalised(batch["bg"]), normalised(batch["fg_bg"])
        taught = self._lesson(*pair)
        steps = [learner.learn(self.step, batch, pair, taught) for learner in self.learners]
        self.step += 1
        return steps

    def _lesson(self, bg: Tensor, fg_bg: Tensor) -> Outputs | None:
        """What the network that is imitated in this step says of its pictures."""
        fresh = self.together and not self.recipe.start
        alone = fresh and self.step < APART * self.recipe.steps
        if alone or not self.teachers:
            return None
        with torch.no_grad(), self.fabric.autocast():
            logits, depth = lesson(self.teachers, self.step, bg, fg_bg, quick=self.keeps_scene)
        # How deep a thing is, the labels say; a family would only agree on its mistakes.
        return logits, None if self.together else depth

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
) -> list[Path]:
    """Train and return the path of each network's `best.pt`.

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
    return [learner.best for learner in run.learners]


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
    saved = run.step
    with ExitStack() as stack:
        writers: list[SummaryWriter] = []
        for learner in run.learners if first else ():
            writer = SummaryWriter(str(learner.out), purge_step=run.step)
            stack.callback(writer.close)
            writers.append(writer)
        try:
            for batch in batches:
                batch = spoiled({name: value.to(fabric.device) for name, value in batch.items()})
                with unbroken():
                    done = run.learn(batch)
                parts = [
                    {name: run.over_all(term) for name, term in terms.items()}
                    for terms, _, _ in done
                ]
                due = run.step % every == 0 or run.step == run.recipe.steps
                if due and first:
                    run.checkpoint(validation)
                    saved = run.step
                # Only the first process writes.
                for writer, learner, own, step in zip(
                    writers, run.learners, parts, done, strict=False
                ):
                    if due or run.step % LOGGED == 0:
                        _log(writer, run.step, learner, own)
                    if due:
                        _show(writer, run.step, batch, *step[1:])
                loss = sum(sum(own.values()) for own in parts) / len(parts)
                report(Progress(run.step, run.recipe.steps, loss, run.scores))
        except (KeyboardInterrupt, SystemExit):
            if first and run.step > saved:
                run.checkpoint(validation)
            raise


def _log(writer: SummaryWriter, step: int, learner: Learner, parts: dict[str, float]) -> None:
    for name, part in parts.items():
        writer.add_scalar(f"loss/{name}", part, step)
    for name, value in learner.scores.items():
        writer.add_scalar(f"validation/{name}", value, step)
    writer.add_scalar("rate", learning_rate(learner.recipe, step), step)


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
