"""The networks that `make accuracy` measures: as bundled, and as `make zoo` trained them for it.

A bundled network was trained on every labelled sequence, so *folds* stand for it: networks of the
same recipe, each trained without some of the sequences. Each sequence is answered by a fold that
never saw it.
"""

from __future__ import annotations

import json
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
from edge.benchmarks.reporting.images import Answer
from edge.bundled import bundled, names
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import EdgeError
from edge.progress import note
from edge.samples.sample import Image
from edge.scene.sway import AGO_S, Sway

PRECISIONS = ("fp32", "int8")
BUNDLED, UNSEEN, PERMISSIVE, PRUNED = "bundled", "unseen", "permissive", "pruned"
"""Kinds: as in the package; the folds; trained on rendered scenes and permissively licensed images
alone; the folds with fewer channels."""
BASE = "base"
"""Folder of the permissive ones in the runs of `make zoo`; beside it are fold1, fold1-pruned and so
on, each with a file for each network."""
Mask = npt.NDArray[np.bool_]
Counts = dict[str, MaskCounts]
"""Pixel counts by sequence."""


@dataclass
class Network:
    """One network in one precision.

    Attributes:
        handles: Open builds by the sequence that they answer; "" is for all others.
        counts: By disturbance and sequence.
        empty: Share of foreground in empty scenes, by disturbance.
        flicker: Share of pixels whose mask changes between two noisy takes of a frame.
        spreads: Of each labelled sample, as this network learned it from other frames.
        shadows: Labelled shadow pixels that the mask covers, and all, of each frame with some.
    """

    name: str
    kind: str
    precision: str
    handles: Mapping[str, edge.Handle]
    counts: dict[str, Counts] = field(default_factory=dict)
    empty: dict[str, list[float]] = field(default_factory=dict)
    flicker: list[float] = field(default_factory=list)
    spreads: list[Image | None] = field(default_factory=list)
    shadows: list[tuple[int, int]] = field(default_factory=list)
    _scene: tuple[object, ...] | None = None

    @property
    def title(self) -> str:
        kind = "" if self.kind == BUNDLED else f" {self.kind}"
        return f"`{self.name}`{kind} {self.precision.upper()}"

    def handle(self, scene: str) -> edge.Handle:
        """The build that answers a sequence."""
        h = self.handles.get(scene, self.handles.get(""))
        if h is None:
            raise EdgeError(f"no fold of {self.name} was trained without {scene}")
        return h

    def answer(
        self,
        scene: str,
        bg: Image,
        frame: Image,
        spread: Image | None,
        stabilized: bool = False,
    ) -> Answer:
        """Mask and depth at the frame's own size, float32 [H, W].

        Args:
            scene: The sequence, which chooses the fold.
            bg, frame: uint8 [H, W, 3] BGR.
            spread: As of a Sample.
            stabilized: Register the frame to the background first (edge.Stabilizer).
        """
        h = self.handle(scene)
        background, fitted = edge.fit(h, bg), edge.fit(h, frame)
        lives = None if spread is None else edge.fit(h, spread)
        size = frame.shape[1::-1]
        if stabilized:
            self._scene = None
            outputs = edge.Stabilizer(h, background, lives).infer(fitted)
        else:
            # Frames of a sequence follow each other: its background is run once.
            told = h, background.tobytes(), None if lives is None else lives.tobytes()
            if told != self._scene:
                edge.set_background(h, background, lives)
                self._scene = told
            outputs = edge.infer(h, fitted)
        mask, depth = as_float(outputs)
        assert mask is not None and depth is not None
        large = (np.asarray(cv2.resize(plane, size), np.float32) for plane in (mask, depth))
        return next(large), next(large)

    def mask(
        self,
        scene: str,
        bg: Image,
        frame: Image,
        spread: Image | None,
        stabilized: bool = False,
    ) -> Mask:
        """The mask of `answer`, bool [H, W]."""
        probability = self.answer(scene, bg, frame, spread, stabilized)[0]
        assert probability is not None
        return probability >= THRESHOLD

    def mask_in_use(
        self, scene: str, bg: Image, frame: Image, spread: Image | None, before: Image | None
    ) -> Mask:
        """The mask as `edge run` uses it, bool [H, W]: registered, without what sways.

        Args:
            scene, bg, frame, spread: as of `answer`.
            before: an earlier frame; None: it is the first, and nothing sways.
        """
        h, self._scene = self.handle(scene), None
        background, fitted = edge.fit(h, bg), edge.fit(h, frame)
        lives = None if spread is None else edge.fit(h, spread)
        stabilizer, sway = edge.Stabilizer(h, background, lives), Sway(background, lives)
        if before is not None:
            earlier = edge.fit(h, before)
            mask, _ = stabilizer.infer(earlier)
            assert mask is not None
            sway.without(mask, earlier, 0.0, stabilizer.offset)
        mask, _ = as_float(stabilizer.infer(fitted))
        assert mask is not None
        left = sway.without(mask, fitted, AGO_S, stabilizer.offset)
        return np.asarray(cv2.resize(left, frame.shape[1::-1])) >= THRESHOLD


def open_networks(folder: Path, runs: Path | None, stack: ExitStack) -> Iterator[Network]:
    """Open every bundled network in PRECISIONS on this machine and, from the runs of `make zoo`,
    its folds and, in int8, its pruned folds and the permissive one. folder: for builds."""

    def of_folds(files: list[Path], name: str, kind: str, precision: str) -> Network:
        handles: dict[str, edge.Handle] = {}
        for file in files:
            h = _open(file, f"{name}-{file.parent.name}", precision, folder, stack)
            handles |= dict.fromkeys(left_out(file), h)
        return Network(name, kind, precision, handles)

    for name in names():
        for precision in PRECISIONS:
            h = _open(bundled(name), name, precision, folder, stack)
            yield Network(name, BUNDLED, precision, {"": h})
        if runs and (folds := sorted(runs.glob(f"fold?/{name}.onnx"))):
            for precision in PRECISIONS:
                yield of_folds(folds, name, UNSEEN, precision)
        if runs and (folds := sorted(runs.glob(f"fold?-{PRUNED}/{name}.onnx"))):
            yield of_folds(folds, name, PRUNED, "int8")
        if runs and (base := runs / BASE / f"{name}.onnx").is_file():
            h = _open(base, f"{name}-{PERMISSIVE}", "int8", folder, stack)
            yield Network(name, PERMISSIVE, "int8", {"": h})
        note(f"built {name}")


def left_out(file: Path) -> list[str]:
    """The sequences that a network was not trained on, by its metadata."""
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    return list(json.loads(metadata["training"])["leave_out"])


def _open(file: Path, name: str, precision: str, folder: Path, stack: ExitStack) -> edge.Handle:
    place = folder / f"{name}-{precision}"
    build(BuildRequest(network=name, precision=precision), place, network=onnx.load(file))
    return stack.enter_context(edge.open(place))


def measured_disturbed(networks: list[Network]) -> list[Network]:
    """Those that are measured on more than clean images: int8, and the folds of a bundled network
    where there are some."""
    with_folds = {n.name for n in networks if n.kind == UNSEEN}
    int8 = [n for n in networks if n.precision == "int8" and n.kind != PRUNED]
    return [n for n in int8 if n.kind != BUNDLED or n.name not in with_folds]
