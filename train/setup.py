"""Set up a training: its devices, its data, and what chooses the best weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_fabric import Fabric

from edge.calibrate.labelled import report_skipped
from edge.calibrate.samples import open_samples
from edge.errors import UsageError
from edge.progress import note, track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import Sample, evenly_spaced, iter_samples
from edge.train.data.crops import Crops
from edge.train.data.mix import WeightedSource, open_source, place_of, share_cutouts
from edge.train.data.scenes import Scenes
from edge.train.recipe import Recipe

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
VALIDATION_SAMPLES = 48
"""Samples of each `--validate`, evenly spaced."""


@dataclass(frozen=True)
class TrainingData:
    """The data of a run.

    Attributes:
        sources: Weighted sources of training images.
        validation: (sequence, sample) each, which choose the best weights.
    """

    sources: list[WeightedSource]
    validation: list[tuple[str, Sample]]


def create_fabric(accelerator: str, precision: str, devices: int = 1, nodes: int = 1) -> Fabric:
    """Create the Fabric that runs a training.

    Args:
        accelerator: cpu, cuda or auto.
        precision: One of PRECISIONS.
        devices: Processes per machine, one device each.
        nodes: Machines.

    Raises:
        UsageError: The precision is unknown, or Fabric refuses the rest.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: expected {', '.join(PRECISIONS)}")
    try:
        return Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--accelerator {accelerator}, --devices {devices}: {reason}") from error


def read_data(recipe: Recipe) -> TrainingData:
    """Open the sources of a recipe and read its validation samples.

    Raises:
        UsageError: No source has a weight, or a sequence that is left out does not exist.
        EdgeError: A place or the depth teacher cannot be read.
    """
    labeller = recipe.depth_teacher
    teacher = DepthTeacher(Path(labeller), os.cpu_count() or 1) if labeller else None
    sources = [
        open_source(spec, recipe.imgsz, teacher, recipe.leave_out, whole=recipe.whole)
        for spec in recipe.data
    ]
    if not sum(weight for _, weight in sources):
        raise UsageError("every --data has a weight of 0; there is nothing to train on")
    _check_left_out(recipe.leave_out, sources)
    share_cutouts(sources)
    trained = [place_of(spec) for spec in recipe.data]
    validation: list[tuple[str, Sample]] = []
    for place in recipe.validate:
        validation += _read_validation(place, place in trained, recipe.leave_out)
    return TrainingData(sources, validation)


def _check_left_out(leave_out: Sequence[str], sources: Sequence[WeightedSource]) -> None:
    sets = [source for source, _ in sources if isinstance(source, Crops | Scenes)]
    names = {name for source in sets for name in source.names}
    if unknown := [name for name in leave_out if name not in names]:
        raise UsageError(
            f"--leave-out {unknown[0]}: no such sequence in --data;"
            f" there are {', '.join(sorted(names)) or 'none'}"
        )


def _read_validation(
    place: str, trained: bool, leave_out: Sequence[str]
) -> list[tuple[str, Sample]]:
    """Read a set of validation samples; of a set that is trained on, only sequences left out."""
    samples = open_samples(place)
    indices: Sequence[int] = range(len(samples))
    if trained:
        left_out = [i for i in indices if samples.sequence(i) in leave_out]
        if not left_out:
            note(f"--validate {place} is trained on as well: its scores say nothing new")
        indices = left_out or indices
    chosen = [indices[i] for i in evenly_spaced(indices, VALIDATION_SAMPLES)]
    tracked = track(iter_samples(samples, chosen), len(chosen), f"reading {samples.name}")
    validation = list(tracked)
    report_skipped(samples.skipped)
    return validation
