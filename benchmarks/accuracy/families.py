"""The networks that `make accuracy` measures: as bundled, and as `make zoo` trained them for that.

A bundled network was trained on every labelled sequence, so it is judged by its *folds*: networks
of the same recipe, each trained without some of the sequences. Each sequence is answered by one
that never saw it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx

import edge
from edge.accuracy import THRESHOLD, MaskCounts
from edge.benchmarks.measuring.build_worker import as_float
from edge.benchmarks.reporting.pictures import Answer
from edge.builder.write import planned, write
from edge.bundled import bundled, names
from edge.calibrate.apply import calibrated
from edge.calibrate.rendering.samples import Rendered
from edge.errors import EdgeError
from edge.graph.resize import image_size
from edge.progress import note
from edge.samples.sample import Image, resize_sample
from edge.targets.table import choose

BUILDS = ("fp32", "int8")
BUNDLED, UNSEEN, PERMISSIVE, PRUNED = "bundled", "unseen", "permissive", "pruned"
"""Kinds: as in the package; the folds; trained on rendered scenes and permissive pictures alone;
the folds with fewer channels."""
BASE = "base"
"""Folder of the permissive ones in the runs of `make zoo`; beside it are fold1, fold1-pruned and so
on, each with a file for each network."""
Mask = npt.NDArray[np.bool_]
Counts = dict[str, MaskCounts]


@dataclass
class Network:
    """One network in one precision, its background run at every frame: scenes change often here.

    handles: open builds by the sequence that they answer; "" is for all others.
    counts:  by disturbance and sequence; empty: foreground where nothing is new, by disturbance;
    changed: share of pixels that flicker.
    """

    name: str
    kind: str
    precision: str
    handles: Mapping[str, edge.Handle]
    counts: dict[str, Counts] = field(default_factory=dict)
    empty: dict[str, list[float]] = field(default_factory=dict)
    changed: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        kind = "" if self.kind == BUNDLED else f" {self.kind}"
        return f"`{self.name}`{kind} {self.precision.upper()}"

    def answer(self, scene: str, bg: Image, frame: Image, steady: bool = False) -> Answer:
        """Mask and depth at the frame's own size, float32 [H, W].

        steady: of the frame as it is laid over the background (edge.scene.stabilize).
        """
        h = self.handles.get(scene, self.handles.get(""))
        if h is None:
            raise EdgeError(f"no fold of {self.name} was trained without {scene}")
        empty, seen = edge.fit(h, bg), edge.fit(h, frame)
        size = frame.shape[1::-1]
        if steady:
            found = edge.Stabilizer(h, empty).infer(seen)
        else:
            edge.set_background(h, empty)
            found = edge.infer(h, seen)
        mask, depth = as_float(found)
        assert mask is not None and depth is not None
        large = (np.asarray(cv2.resize(one, size), np.float32) for one in (mask, depth))
        return next(large), next(large)

    def mask(self, scene: str, bg: Image, frame: Image, steady: bool = False) -> Mask:
        found = self.answer(scene, bg, frame, steady)[0]
        assert found is not None
        return found >= THRESHOLD


def opened(folder: Path, runs: Path | None, stack: ExitStack) -> Iterator[Network]:
    """Every bundled network in BUILDS for the runtime of this machine and, from the runs of
    `make zoo`, its folds and, in int8, its pruned folds and the permissive one.

    folder: for the builds.
    """

    def of_folds(files: list[Path], name: str, kind: str, precision: str) -> Network:
        handles: dict[str, edge.Handle] = {}
        for file in files:
            h = _open(file, f"{name}-{file.parent.name}", precision, folder, stack)
            handles |= dict.fromkeys(left_out(file), h)
        return Network(name, kind, precision, handles)

    for name in names():
        for precision in BUILDS:
            h = _open(bundled(name), name, precision, folder, stack)
            yield Network(name, BUNDLED, precision, {"": h})
        if runs and (folds := sorted(runs.glob(f"fold?/{name}.onnx"))):
            for precision in BUILDS:
                yield of_folds(folds, name, UNSEEN, precision)
        if runs and (folds := sorted(runs.glob(f"fold?-{PRUNED}/{name}.onnx"))):
            yield of_folds(folds, name, PRUNED, "int8")
        if runs and (base := runs / BASE / f"{name}.onnx").is_file():
            h = _open(base, f"{name}-{PERMISSIVE}", "int8", folder, stack)
            yield Network(name, PERMISSIVE, "int8", {"": h})
        note(f"built {name}")


def left_out(file: Path) -> list[str]:
    """The sequences that a network was not trained on, by its own account."""
    about = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    return list(json.loads(about["training"])["leave_out"])


def _open(file: Path, name: str, precision: str, folder: Path, stack: ExitStack) -> edge.Handle:
    model = onnx.load(file)
    plan = planned(model, name, choose("auto"), precision, "edge.benchmarks.accuracy.accuracy")
    if precision == "int8":
        count = 64
        samples = [
            resize_sample(s, *image_size(model))
            for s in map(Rendered(count).__getitem__, range(count))
        ]
        plan = calibrated(plan, samples, 1)
    place = folder / plan.name
    write(plan, place, time.monotonic())
    return stack.enter_context(edge.open(place, fold=False))
