"""`make accuracy`: measure the bundled networks on labelled sequences, clean and disturbed.

    python -m edge.benchmarks.accuracy DATA [--runs runs/zoo] [--out reports/accuracy]

DATA is a folder with `sequences/` (labelled, docs/samples.md) and, optionally, `rgbd/`. Prints the
tables of docs/accuracy.md and writes `index.html`: background, frame, truth, mask and depth of each
sequence. With the runs of `make zoo` each sequence is answered by a network that never saw it.
Every network runs as its builds do, in int8 and FP32, through the runtime's calls. Nothing here
chooses a weight or a threshold of a network; the absolute difference gets its best one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

import cv2

from edge.benchmarks.accuracy import tables
from edge.benchmarks.accuracy.depth import (
    Depths,
    mean_of,
    read_people,
    read_scenes,
    score_depths,
)
from edge.benchmarks.accuracy.disturbances import DISTURBANCES
from edge.benchmarks.accuracy.images import darker_image, write_page
from edge.benchmarks.accuracy.measure import learn_spreads, measure
from edge.benchmarks.accuracy.networks import (
    BUNDLED,
    PERMISSIVE,
    PRUNED,
    UNSEEN,
    open_networks,
)
from edge.benchmarks.measuring.machine import machine
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.samples import open_samples
from edge.errors import EdgeError
from edge.files import atomic_write
from edge.progress import bar, note, track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import evenly_spaced, iter_samples
from edge.targets import choose

FRAMES = 20
"""Frames of each labelled sequence, evenly spaced."""
RENDERED = (96, 777)
"""Count and seed of the rendered scenes: not those of training, choosing or calibrating."""
RESULTS = "accuracy.json"


def main(words: list[str]) -> int:
    """Measure, print and write everything; returns the exit code."""
    parser = ArgumentParser("make accuracy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with sequences/ and, optionally, rgbd/")
    parser.add_argument("--teacher", type=Path, help="ONNX depth network to compare with")
    parser.add_argument("--runs", type=Path, help="folder of `make zoo`, for its folds")
    parser.add_argument("--out", type=Path, default=Path("reports/accuracy"))
    given = parser.parse_args(words)
    try:
        run(given.data, given.teacher, given.runs, given.out)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(data: Path, teacher_file: Path | None, runs: Path | None, out: Path) -> None:
    """Measure the networks on `data`; arguments as on the command line."""
    source = open_samples(str(data / "sequences"))
    teacher = DepthTeacher(teacher_file, 2) if teacher_file else None
    scenes: dict[str, list[int]] = {}
    for index in range(len(source)):
        scenes.setdefault(source.sequence(index), []).append(index)
    chosen = [of[i] for of in scenes.values() for i in evenly_spaced(of, FRAMES)]
    samples = list(track(iter_samples(source, chosen), len(chosen), "reading sequences"))
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-accuracy-")))
        networks = list(open_networks(folder, runs, stack))
        with bar() as progress:
            total = len(samples) * (1 + len(DISTURBANCES))
            task = progress.add_task("masks", total=total)
            learn_spreads(networks, samples)
            plain = measure(networks, samples, data / "sequences", lambda: progress.advance(task))
        count, seed = RENDERED
        rendered = {"rendered scenes": [Rendered(count, seed=seed)[i] for i in range(count)]}
        whole = [n for n in networks if n.kind not in (UNSEEN, PRUNED)]
        depths = score_depths(whole, rendered, teacher)
        by_set: dict[str, Depths] = {}
        for kind, read in (("scene", read_scenes), ("people", read_people)):
            if sets := read(data / "rgbd"):
                by_set[kind] = score_depths(whole, sets, teacher)
                depths[f"RGB-D, {kind}, mean of {len(sets)} sets"] = mean_of(by_set[kind])
        write_page(networks, samples, out)
        int8 = [n for n in networks if (n.kind, n.precision) == (BUNDLED, "int8")]
        cv2.imwrite(str(out / "darker.jpg"), darker_image(int8))
    unseen = [n for kind in (UNSEEN, PRUNED, PERMISSIVE) for n in networks if n.kind == kind]
    parts = {
        "Masks, each by a network that never saw it": tables.sequence_table(unseen, plain),
        "Masks of the bundled networks": tables.sequence_table(
            [n for n in networks if n.kind == BUNDLED], plain
        ),
        "Disturbed": tables.disturbance_table(networks, plain),
        "Empty scenes": tables.empty_table(networks),
        "Depth": tables.depth_table(depths),
    }
    for kind, found in by_set.items():
        parts[f"Depth of {kind} by set"] = tables.depth_by_set(found, kind == "people")
    if not any(n.kind == UNSEEN for n in networks):
        del parts["Masks, each by a network that never saw it"]
    about = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in about.libraries.items())
    print(
        f"{len(samples)} frames of {len({name for name, _ in samples})} sequences"
        f" ({source.name}), {choose('auto').name}, {about.processor}, {libraries}."
    )
    for title, lines in parts.items():
        print("\n".join(["", f"### {title}", "", *lines]))
    document = tables.results(networks, plain, depths)
    with atomic_write(out / RESULTS) as draft:
        draft.write_text(json.dumps(document, indent=2))
    note(f"images: {out / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
