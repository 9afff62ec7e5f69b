"""`make accuracy`: how good the bundled networks are, and what a camera can do to them.

    python -m edge.benchmarks.accuracy.accuracy DATA [--runs runs/zoo] [--out reports/accuracy]

DATA is a folder with `sequences/` (labelled, docs/samples.md) and, if there, `rgbd/`. Prints the
tables of docs/accuracy.md and writes `index.html`: for each sequence bg, frame, truth, mask and
depth. With the runs of `make zoo` each sequence is answered by a network that never saw it. Every
network runs as its builds do, in int8 and FP32, through the runtime's calls. Nothing here chooses a
weight or a threshold of a network; the absolute difference gets its best one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.accuracy import MaskCounts, count_mask, depth_scores, means
from edge.benchmarks.accuracy.disturbances import DISTURBANCES, STEADIED, Disturbance
from edge.benchmarks.accuracy.families import (
    BUNDLED,
    PERMISSIVE,
    PRUNED,
    UNSEEN,
    Counts,
    Mask,
    Network,
    opened,
)
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.peers.peers import difference
from edge.benchmarks.reporting.pictures import Answer, comparison_grid
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.rendering.sensor import noise
from edge.calibrate.samples import open_samples
from edge.errors import EdgeError
from edge.progress import bar, note, track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import FOREGROUND, Image, Sample, evenly_spaced, iter_samples
from edge.targets.table import choose

FRAMES = 160
"""Frames of the labelled sequences, evenly spread."""
RENDERED = (96, 777)
"""Count and seed of the rendered scenes: not those of training, choosing or calibrating."""
LEVELS = range(5, 105, 5)
"""Thresholds from which the absolute difference gets its best."""
RESULTS = "accuracy.json"
WHY, WHY_INDEX, WHY_LEVEL = (8, (240, 320), 777), 2, 30
"""The rendered scene and the threshold of the picture that shows a fifth less light."""
STILL = 2.0
"""Grey levels of noise between two pictures of a still scene."""


class Differences:
    """The absolute difference at every threshold: counts[condition][level][sequence]."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[int, Counts]] = {}

    def add(self, condition: str, scene: str, pair: tuple[Image, Image], truth: Sample) -> None:
        found = difference(*pair)
        levels = self.counts.setdefault(condition, {level: {} for level in LEVELS})
        for level, counts in levels.items():
            _add(counts, scene, found >= level, truth)

    def best(self) -> int:
        """The one threshold that is best for all clean sequences."""
        clean = self.counts[CLEAN]
        return max(clean, key=lambda level: mean_f(clean[level]))

    def best_of(self, scene: str) -> float:
        """F-measure at the threshold that is best for this sequence alone."""
        levels = self.counts[CLEAN].values()
        return max(counts[scene].scores()["f_measure"] for counts in levels)


CLEAN = "as recorded"


def _add(counts: Counts, scene: str, found: Mask, truth: Sample) -> None:
    counts[scene] = counts.get(scene, MaskCounts()) + count_mask(found, truth.mask)


def mean_f(counts: Counts) -> float:
    return means([count.scores() for count in counts.values()])["f_measure"]


def _as_recorded(bg: Image, frame: Image, rng: object) -> tuple[Image, Image]:
    return bg, frame


def disturbed(networks: list[Network]) -> list[Network]:
    """Those in int8, for more than clean pictures; a bundled one with folds is judged by these."""
    folded = {n.name for n in networks if n.kind == UNSEEN}
    quick = [n for n in networks if n.precision == "int8" and n.kind != PRUNED]
    return [n for n in quick if n.kind != BUNDLED or n.name not in folded]


def measure(
    networks: list[Network], samples: list[tuple[str, Sample]], step: Callable[[], None]
) -> Differences:
    """Masks of all samples; of some also under every disturbance, of empty scenes and of still
    ones."""
    plain = Differences()
    quick = disturbed(networks)
    every: dict[str, Disturbance] = {CLEAN: _as_recorded, **DISTURBANCES}
    for condition, disturb in every.items():
        scenes: set[str] = set()
        for index, (scene, sample) in enumerate(samples):
            rng = np.random.default_rng([index, len(condition)])
            pair = disturb(sample.bg, sample.fg_bg, rng)
            plain.add(condition, scene, pair, sample)
            asked = networks if condition == CLEAN else quick
            for name, steady in _ways(condition):
                for network in asked:
                    counts = network.counts.setdefault(name, {})
                    _add(counts, scene, network.mask(scene, *pair, steady), sample)
            if condition == CLEAN:
                again = noise(sample.fg_bg, rng, STILL), noise(sample.fg_bg, rng, STILL)
                for network in quick:
                    first, second = (network.mask(scene, sample.bg, frame) for frame in again)
                    network.changed.append(float((first != second).mean()))
            elif scene not in scenes:
                scenes.add(scene)
                nothing = disturb(sample.bg, sample.bg, rng)
                for name, steady in _ways(condition):
                    for network in quick:
                        share = float(network.mask(scene, *nothing, steady).mean())
                        network.empty.setdefault(name, []).append(share)
            step()
    return plain


def _ways(condition: str) -> list[tuple[str, bool]]:
    """The names under which a condition is measured, and whether frames are laid over first."""
    laid = [(STEADIED[condition], True)] if condition in STEADIED else []
    return [(condition, False), *laid]


def conditions() -> list[str]:
    """What is done to pictures, in the order of the tables."""
    return [name for condition in DISTURBANCES for name, _ in _ways(condition)]


def table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def of_sequences(networks: list[Network], plain: Differences) -> list[str]:
    """F-measure of every sequence."""
    clean = plain.counts[CLEAN][plain.best()]
    heads = ["F-measure", f"absolute difference > {plain.best()}", "at its best for each"]
    rows = [
        [
            scene,
            f"{clean[scene].scores()['f_measure']:.4f}",
            f"{plain.best_of(scene):.4f}",
            *(f"{n.counts[CLEAN][scene].scores()['f_measure']:.4f}" for n in networks),
        ]
        for scene in clean
    ]
    best = np.mean([plain.best_of(scene) for scene in clean])
    means_ = [f"{mean_f(n.counts[CLEAN]):.4f}" for n in networks]
    rows.append(["**mean**", f"{mean_f(clean):.4f}", f"{best:.4f}", *means_])
    return table([*heads, *(n.title for n in networks)], rows)


def of_disturbances(networks: list[Network], plain: Differences) -> list[str]:
    """Mean F-measure of all sequences lost to each disturbance."""
    level = plain.best()
    quick = disturbed(networks)

    def lost(counts: dict[str, Counts], condition: str) -> str:
        return f"{mean_f(counts[CLEAN]) - mean_f(counts[condition]):.4f}"

    plainly = {condition: by[level] for condition, by in plain.counts.items()}
    return table(
        ["F-measure lost", f"absolute difference > {level}", *(n.title for n in quick)],
        (
            [
                condition,
                lost(plainly, condition) if condition in plainly else "-",
                *(lost(n.counts, condition) for n in quick),
            ]
            for condition in conditions()
        ),
    )


def of_nothing(networks: list[Network]) -> list[str]:
    """Foreground found where nothing is new, and pixels that flicker."""
    quick = disturbed(networks)
    rows = [
        [condition, *(f"{100 * np.mean(n.empty[condition]):.4f} %" for n in quick)]
        for condition in conditions()
    ]
    changed = [f"{100 * np.mean(n.changed):.4f} %" for n in quick]
    heads = ["share of the picture", *(n.title for n in quick)]
    return table(heads, [*rows, ["changed between two pictures of a still scene", *changed]])


def depths_of(
    networks: list[Network], sources: dict[str, list[Sample]], teacher: DepthTeacher | None
) -> dict[str, dict[str, dict[str, float]]]:
    """[source][network]: AbsRel and delta1 of the whole picture, and (`new_...`) of what is new."""
    finders: dict[str, Callable[[Sample], npt.NDArray[np.float32] | None]] = {}
    if teacher is not None:
        finders["teacher"] = lambda sample: teacher(sample.fg_bg)
        finders["teacher, mirrored too"] = lambda sample: teacher.both_ways(sample.fg_bg)
    for network in networks:
        finders[network.title] = lambda s, n=network: n.answer("", s.bg, s.fg_bg)[1]  # type: ignore[misc]
    found: dict[str, dict[str, dict[str, float]]] = {source: {} for source in sources}
    for source, samples in sources.items():
        for title, find in finders.items():
            whole, things = [], []
            for sample in samples:
                depth = find(sample)
                assert depth is not None and sample.depth is not None
                new = sample.mask == FOREGROUND
                whole.append(depth_scores(depth, sample.depth))
                if new.any():
                    things.append(depth_scores(depth, sample.depth, new))
            found[source][title] = means(whole) | (
                {f"new_{key}": value for key, value in means(things).items()} if things else {}
            )
    return found


def of_depth(depths: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    keys = ("abs_rel", "delta1", "new_abs_rel", "new_delta1")
    heads = ["", "", "AbsRel", "delta1", "AbsRel of what is new", "delta1 of what is new"]
    return table(
        heads,
        (
            [source, title, *(f"{scores[key]:.4f}" if key in scores else "-" for key in keys)]
            for source, by in depths.items()
            for title, scores in by.items()
        ),
    )


def rgbd(folder: Path) -> list[Sample]:
    """RGB-D frames of empty scenes, each its own background: only the scene's depth is judged."""
    found = []
    for path in sorted(folder.glob("*/rgb/*.jpg"))[::4]:
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        file = path.parents[1] / "depth" / f"{path.stem}.png"
        metres = np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.float32)
        near = np.where(metres > 0, 1 / np.maximum(metres, 1), np.float32(np.nan))
        nothing = np.zeros(picture.shape[:2], np.uint8)
        found.append(Sample(path.stem, picture, picture, nothing, near, True))
    return found


def document(
    networks: list[Network], plain: Differences, depths: dict[str, dict[str, dict[str, float]]]
) -> dict[str, Any]:
    """What a card is written from: the scores of each network by kind, name and precision."""
    found: dict[str, Any] = {}
    for n in networks:
        clean = n.counts[CLEAN]
        scores: dict[str, Any] = {
            "f_measure": {scene: c.scores()["f_measure"] for scene, c in clean.items()},
            "depth": {source: by[n.title] for source, by in depths.items() if n.title in by},
        }
        if n.changed:
            scores |= {
                "lost": {c: mean_f(clean) - mean_f(n.counts[c]) for c in conditions()},
                "empty": {c: float(np.mean(n.empty[c])) for c in conditions()},
                "still": float(np.mean(n.changed)),
            }
        found.setdefault(n.kind, {}).setdefault(n.name, {})[n.precision] = scores
    best = {scene: plain.best_of(scene) for scene in plain.counts[CLEAN][plain.best()]}
    return {"machine": machine(), "absolute_difference": best, **found}


def page(networks: list[Network], samples: list[tuple[str, Sample]], out: Path) -> None:
    """A picture per sequence with three frames, and a page that shows them all."""
    quick = [n for n in disturbed(networks) if n.kind != PERMISSIVE]
    scenes: dict[str, list[Sample]] = {}
    for scene, sample in samples:
        scenes.setdefault(scene, []).append(sample)
    body = []
    for scene, all_ in scenes.items():
        shown = sorted(all_, key=lambda s: -int((s.mask == FOREGROUND).sum()))
        chosen = [shown[len(shown) * part // 6] for part in (0, 2, 4)]
        answers = [{n.name: n.answer(scene, s.bg, s.fg_bg) for n in quick} for s in chosen]
        cv2.imwrite(str(out / f"{scene}.jpg"), comparison_grid(chosen, answers, {}))
        body.append(f'<h2>{scene}</h2><img src="{scene}.jpg" alt="{scene}" loading="lazy">')
    style = "body{font:16px sans-serif;margin:2em}img{max-width:100%}"
    (out / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>edge: accuracy</title>'
        f"<style>{style}</style><h1>Bundled networks on labelled sequences</h1>{''.join(body)}"
    )


def why(networks: list[Network]) -> Image:
    """What a fifth less light does to an absolute difference, and to the networks: a rendered scene
    as it was taken and 20 % darker."""
    rows = []
    sample = Rendered(*WHY)[WHY_INDEX]
    for condition in (CLEAN, "20 % darker"):
        disturb = DISTURBANCES.get(condition, _as_recorded)
        bg, frame = disturb(sample.bg, sample.fg_bg, np.random.default_rng(0))
        plain = (difference(bg, frame) >= WHY_LEVEL).astype(np.float32)
        found: dict[str, Answer] = {f"difference > {WHY_LEVEL}": (plain, None)}
        found |= {f"{n.name} int8": (n.answer("", bg, frame)[0], None) for n in networks}
        rows.append((replace(sample, bg=bg, fg_bg=frame), found))
    return comparison_grid([shown for shown, _ in rows], [found for _, found in rows], {})


def main(words: list[str]) -> int:
    parser = ArgumentParser("make accuracy", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("data", type=Path, help="folder with sequences/ and, if there, rgbd/")
    parser.add_argument("--teacher", type=Path, help="ONNX depth network to compare with")
    parser.add_argument("--runs", type=Path, help="folder of `make zoo`: networks judged by folds")
    parser.add_argument("--out", type=Path, default=Path("reports/accuracy"))
    given = parser.parse_args(words)
    try:
        source = open_samples(str(given.data / "sequences"))
        teacher = DepthTeacher(given.teacher, 2) if given.teacher else None
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    chosen = evenly_spaced(source, FRAMES)
    samples = list(track(iter_samples(source, chosen), len(chosen), "reading sequences"))
    given.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-accuracy-")))
        networks = list(opened(folder, given.runs, stack))
        with bar() as progress:
            total = len(samples) * (1 + len(DISTURBANCES))
            task = progress.add_task("masks", total=total)
            plain = measure(networks, samples, lambda: progress.advance(task))
        count, seed = RENDERED
        scenes = {"rendered scenes": [Rendered(count, seed=seed)[i] for i in range(count)]}
        if (given.data / "rgbd").is_dir():
            scenes["RGB-D, nothing new"] = rgbd(given.data / "rgbd")
        whole = [n for n in networks if n.kind not in (UNSEEN, PRUNED)]
        depths = depths_of(whole, scenes, teacher)
        ours = [n for n in networks if n.kind == BUNDLED]
        unseen = [n for n in networks if n.kind == UNSEEN]
        free = [n for n in networks if n.kind == PERMISSIVE]
        pruned = [n for n in networks if n.kind == PRUNED]
        page(networks, samples, given.out)
        picture = why([n for n in ours if n.precision == "int8"])
        cv2.imwrite(str(given.out / "darker.jpg"), picture)
    where = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in where["libraries"].items())
    print(
        f"{len(samples)} frames of {len({name for name, _ in samples})} sequences"
        f" ({source.name}), {choose('auto').name}, {where['processor']}, {libraries}."
    )
    unseen_tables = {
        "Masks, each by a network that never saw it": of_sequences([*unseen, *pruned, *free], plain)
    }
    for title, lines in {
        **(unseen_tables if unseen else {}),
        "Masks of the bundled networks": of_sequences(ours, plain),
        "Disturbed": of_disturbances(networks, plain),
        "Nothing new": of_nothing(networks),
        "Depth": of_depth(depths),
    }.items():
        print("\n".join(["", f"### {title}", "", *lines]))
    (given.out / RESULTS).write_text(json.dumps(document(networks, plain, depths), indent=2))
    note(f"pictures: {given.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
