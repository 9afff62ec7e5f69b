"""The training loop: Fabric handles devices, precision and processes; a killed run resumes exactly.

A run is a folder: `last.pt` (the whole state, to resume), `best.pt` (the best averaged weights by
validation) and TensorBoard's events. Of networks trained together each has a folder of its name
there for the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from edge.errors import EdgeError
from edge.files import claimed
from edge.samples.sample import Sample
from edge.train.augment.photometric_batch import augment_batch
from edge.train.checkpoint import load_run, save
from edge.train.data.mix import Batch, Mix, WeightedSource, batches
from edge.train.distill import distillation_target, load_teacher
from edge.train.interrupt import uninterrupted
from edge.train.learner import Learner, Step
from edge.train.networks import network_inputs, normalised
from edge.train.networks.scene import kept_scenes, share_scene
from edge.train.networks.variant import Outputs
from edge.train.recipe import Recipe, learning_rate

LOG_INTERVAL = 20
"""Steps between two entries of the losses in TensorBoard."""
MUTUAL_START = 0.25
"""Share of a run from fresh weights after which networks trained together imitate each other;
before, their masks are too poor to learn from."""
BACKGROUND_LOGIT = -8.0
"""What is imitated of a mask where its label knows a shadow."""


@dataclass(frozen=True)
class Progress:
    """What the caller is told after each step.

    Attributes:
        step: Steps done.
        steps: Steps of the run.
        loss: Sum of the loss terms, averaged over networks and processes.
        scores: Scores of the last checkpoint.
    """

    step: int
    steps: int
    loss: float
    scores: dict[str, float]


class Run:
    """The networks of a recipe, trained on the same images.

    Each of several networks also learns the masks that the averaged weights of all of them predict
    (mutual learning, Zhang et al. 2018, from mean teachers, Tarvainen & Valpola 2017).

    Args:
        recipe: Of the run.
        out: Folder of the run.
        fabric: Devices, precision and processes.
        sources: Weighted sources of training images.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        fabric: Fabric,
        sources: Sequence[WeightedSource],
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
            teachers = (load_teacher(Path(p), variant, recipe.imgsz) for p in recipe.distill)
            self.teachers = [teacher.to(fabric.device) for teacher in teachers]
        self.keeps_scene = all(kept_scenes(learner.plain) for learner in self.learners)
        if self.keeps_scene:
            share_scene([learner.plain for learner in self.learners])
        self.step = 0

    @property
    def scores(self) -> dict[str, float]:
        """Scores of the last checkpoint."""
        if not self.together:
            return self.learners[0].scores
        return {
            f"{learner.name} {name}": value
            for learner in self.learners
            for name, value in learner.scores.items()
        }

    def resume(self) -> None:
        """Restore the run from its last checkpoint.

        Raises:
            EdgeError: The checkpoint is of another recipe, or unreadable.
        """
        state = load_run(self.last)
        if state["recipe"] != asdict(self.recipe):
            raise EdgeError(
                f"{self.last} was made by another recipe or another version of `edge train`",
                "give the same options as before, or another --out",
            )
        try:
            for learner, own in zip(self.learners, state.get("learners", [state]), strict=True):
                learner.resume(own)
            self.fabric.strategy.precision.load_state_dict(state["precision"])
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise EdgeError(
                f"{self.last} lacks a part of its run: {str(error).splitlines()[0]}",
                "give another --out, or remove it to begin again",
            ) from error
        self.step = state["step"]

    def checkpoint(self, validation: Sequence[tuple[str, Sample]]) -> None:
        """Score the averaged weights, save the best ones, and the whole state in one file."""
        states = [learner.checkpoint(validation, self.step) for learner in self.learners]
        joint = {"recipe": asdict(self.recipe), "step": self.step, "learners": states}
        state = joint if self.together else states[0]
        save(state | {"precision": self.fabric.strategy.precision.state_dict()}, self.last)

    def learn(self, batch: Batch) -> list[Step]:
        """Make one step of each network on a batch."""
        inputs = network_inputs(batch)
        target = self._distillation_target(batch, inputs)
        steps = [learner.learn(self.step, batch, inputs, target) for learner in self.learners]
        self.step += 1
        return steps

    def _distillation_target(self, batch: Batch, inputs: tuple[Tensor, ...]) -> Outputs | None:
        """The outputs of this step's teacher, or None."""
        fresh = self.together and not self.recipe.start
        too_early = fresh and self.step < MUTUAL_START * self.recipe.steps
        if too_early or not self.teachers:
            return None
        with torch.no_grad(), self.fabric.autocast():
            logits, depth = distillation_target(
                self.teachers, self.step, inputs, single_pass=self.keeps_scene
            )
        if logits is not None:
            # Networks that take shadows for foreground would hold each other to it.
            logits = torch.where(batch["counts"] > 1, logits.new_tensor(BACKGROUND_LOGIT), logits)
        # Depth has labels; networks trained together would only agree on their mistakes.
        return logits, None if self.together else depth

    def mean_over_processes(self, term: Tensor) -> float:
        """The mean of a loss term over all processes."""
        mean = self.fabric.all_reduce(term.detach(), reduce_op="mean")
        return float(mean)  # type: ignore[arg-type]

    def remaining_batches(self, sources: Sequence[WeightedSource], workers: int) -> Iterator[Batch]:
        """The batches from the current step to the end.

        Args:
            sources: Weighted sources of training images.
            workers: Processes that make images; 0 makes them in this one.
        """
        size = self.recipe.batch
        mix = Mix(
            sources,
            seed=self.recipe.seed,
            start=self.step * size,
            end=self.recipe.steps * size,
            batch=size,
            rank=self.fabric.global_rank,
            world=self.fabric.world_size,
            raw=self.fabric.device.type != "cpu",
        )
        return batches(mix, workers)


def train(
    recipe: Recipe,
    sources: Sequence[WeightedSource],
    validation: Sequence[tuple[str, Sample]],
    out: Path,
    *,
    fabric: Fabric,
    resume: bool,
    workers: int,
    every: int,
    report: Callable[[Progress], None],
) -> list[Path]:
    """Train the networks of a recipe.

    A run that ends early leaves `last.pt`, after Ctrl-C and SIGTERM of its last step; with `resume`
    it continues from there to the same weights as an uninterrupted run.

    Args:
        recipe: Of the run.
        sources: Weighted sources of training images.
        validation: (sequence, sample) each, which choose the best weights.
        out: Folder of the run.
        fabric: Devices, precision and processes.
        resume: Continue the run in `out` if there is one.
        workers: Processes that make images.
        every: Steps between checkpoints.
        report: Called after each step.

    Returns:
        The best.pt of each network.

    Raises:
        EdgeError: Another training uses `out`, or it holds a run that is not resumed.
    """
    main_process = fabric.global_rank == 0
    busy = f"another training is running in {out}; wait for its end, or give another --out"
    with claimed(out, busy) if main_process else nullcontext():
        run = Run(recipe, out, fabric, sources)
        if resume and run.last.is_file():
            run.resume()
        elif run.last.is_file():
            raise EdgeError(f"{out} holds a run already", "--resume it, or give another --out")
        _learn(run, run.remaining_batches(sources, workers), validation, every, report)
    return [learner.best for learner in run.learners]


def _learn(
    run: Run,
    remaining: Iterable[Batch],
    validation: Sequence[tuple[str, Sample]],
    every: int,
    report: Callable[[Progress], None],
) -> None:
    """Make one step per batch, with checkpoints and TensorBoard's events."""
    fabric = run.fabric
    main_process = fabric.global_rank == 0
    saved = run.step
    with ExitStack() as stack:
        writers: list[SummaryWriter] = []
        for learner in run.learners if main_process else ():
            writer = SummaryWriter(str(learner.out), purge_step=run.step)
            stack.callback(writer.close)
            writers.append(writer)
        try:
            for arrived in remaining:
                batch = augment_batch({n: value.to(fabric.device) for n, value in arrived.items()})
                with uninterrupted():
                    steps = run.learn(batch)
                means = [
                    {name: run.mean_over_processes(term) for name, term in step.terms.items()}
                    for step in steps
                ]
                due = run.step % every == 0 or run.step == run.recipe.steps
                if due and main_process:
                    run.checkpoint(validation)
                    saved = run.step
                # Other processes have no writers.
                for writer, learner, terms, step in zip(
                    writers, run.learners, means, steps, strict=False
                ):
                    if due or run.step % LOG_INTERVAL == 0:
                        _write_scalars(writer, run.step, learner, terms)
                    if due:
                        _write_images(writer, run.step, batch, step)
                loss = sum(sum(terms.values()) for terms in means) / len(means)
                report(Progress(run.step, run.recipe.steps, loss, run.scores))
        except (KeyboardInterrupt, SystemExit):
            if main_process and run.step > saved:
                run.checkpoint(validation)
            raise


def _write_scalars(
    writer: SummaryWriter, step: int, learner: Learner, terms: dict[str, float]
) -> None:
    for name, term in terms.items():
        writer.add_scalar(f"loss/{name}", term, step)
    for name, value in learner.scores.items():
        writer.add_scalar(f"validation/{name}", value, step)
    writer.add_scalar("rate", learning_rate(learner.recipe, step), step)


def _write_images(writer: SummaryWriter, step: int, batch: Batch, outputs: Step) -> None:
    """Four images of the batch with label and prediction (grey where there is none)."""
    few = slice(0, 4)
    frame = normalised(batch["fg_bg"][few]).flip(1)
    grey = torch.full_like(batch["mask"], 0.5)
    mask = grey if outputs.logits is None else torch.sigmoid(outputs.logits)
    depth = grey if outputs.depth is None else outputs.depth
    planes = [batch["mask"], mask, batch["depth"], depth]
    rows = [frame, *(plane[few].expand(-1, 3, -1, -1) for plane in planes)]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    name = "frame, mask (label, prediction), depth (label, prediction)"
    writer.add_image(name, sheet.clamp(0, 1).detach(), step)
