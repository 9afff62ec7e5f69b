"""`make backgrounds`: automatic backgrounds against careful ones, and the masks that follow.

    python -m edge.benchmarks.backgrounds DATA [--network nano] [--out reports/backgrounds]

DATA is a folder with `sequences/` (labelled, with bg.png) and, if there, `videos/`. Backgrounds
come from unlabelled frames alone. For each sequence the table gives the share of pixels that are
more than 20 grey levels off bg.png, where the pixel was empty for a third of the time, and the
F-measure of the masks; beside it the same for the median of these frames where their labels call
them empty: bg.png is of more frames than are given. Images of all backgrounds are written.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.accuracy import THRESHOLD, MaskCounts, count_mask
from edge.benchmarks.measuring.machine import machine
from edge.calibrate.pipeline import BuildRequest, build
from edge.calibrate.samples import open_samples
from edge.errors import EdgeError
from edge.loop.masks import network_masks
from edge.progress import note
from edge.samples.median import median_where
from edge.samples.sample import BACKGROUND, Image, Sample, evenly_spaced
from edge.scene.background import AGREES, estimate_background
from edge.scene.gather import MOST, gather_images

HEADER = """\
| sequence | off bg.png | off, by labels | F with bg.png | F, automatic | F, by labels |
| --- | --- | --- | --- | --- | --- |"""
EMPTY = 1 / 3
"""Share of the frames in which a pixel has to be empty to be compared."""


def by_labels(samples: Sequence[Sample]) -> Image:
    """The median of the frames where they are empty; of all where none is."""
    empty = np.stack([sample.mask == BACKGROUND for sample in samples])
    return median_where(np.stack([s.fg_bg for s in samples]), np.where(empty.any(0), empty, True))


def wrong_share(background: Image, samples: Sequence[Sample]) -> float:
    """Share of pixels off bg.png, of those that were empty often enough."""
    empty = np.mean([sample.mask == BACKGROUND for sample in samples], axis=0) >= EMPTY
    off = cv2.absdiff(background, samples[0].bg).max(2) > AGREES
    return float((off & empty).sum() / max(empty.sum(), 1))


def f_measure(h: edge.Handle, bg: Image, samples: Sequence[Sample]) -> float:
    """F-measure of the build's masks over the samples with a background."""
    counts = MaskCounts()
    edge.set_background(h, edge.fit(h, bg))
    for sample in samples:
        mask, _ = edge.infer(h, edge.fit(h, sample.fg_bg))
        assert mask is not None
        full = cv2.resize(np.asarray(mask), sample.mask.shape[::-1])
        counts += count_mask(np.asarray(full) >= THRESHOLD, sample.mask)
    return counts.scores()["f_measure"]


def side_by_side(*images: npt.NDArray[np.uint8]) -> Image:
    colour = [cv2.cvtColor(i, cv2.COLOR_GRAY2BGR) if i.ndim == 2 else i for i in images]
    return np.hstack([np.asarray(image, np.uint8) for image in colour])


def of_sequences(h: edge.Handle, data: Path, out: Path) -> list[str]:
    """A row of the table for each sequence, and the mean."""
    source = open_samples(str(data / "sequences"))
    scenes: dict[str, list[int]] = {}
    for index in range(len(source)):
        scenes.setdefault(source.sequence(index), []).append(index)
    rows, values = [], []
    for scene, indices in scenes.items():
        samples = [source[indices[i]] for i in evenly_spaced(indices, MOST)]
        frames = [sample.fg_bg for sample in samples]
        background = estimate_background(frames, network_masks(h))
        made = background.image, by_labels(samples)
        wrong = [100 * wrong_share(image, samples) for image in made]
        f = [f_measure(h, image, samples) for image in (samples[0].bg, *made)]
        values.append((wrong[0], wrong[1], f[0], f[1], f[2]))
        rows.append(row(scene, values[-1]))
        image = side_by_side(samples[0].bg, background.image, background.confidence)
        cv2.imwrite(str(out / f"{scene}.jpg"), image)
        note(rows[-1])
    return [*rows, row("**mean**", np.mean(values, axis=0))]


def row(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> str:
    """A row of the table, of the values in the order of HEADER."""
    cells = [f"{v:.2f} %" for v in values[:2]] + [f"{v:.4f}" for v in values[2:]]
    return f"| {name} | {' | '.join(cells)} |"


def of_videos(h: edge.Handle, data: Path, out: Path) -> list[str]:
    """What is to be seen of each clip: a frame, the background, its confidence."""
    lines = []
    for video in sorted((data / "videos").glob("*.*")):
        images = gather_images(str(video))
        background = estimate_background(images, network_masks(h))
        cv2.imwrite(
            str(out / f"{video.stem}.jpg"),
            side_by_side(images[0], background.image, background.confidence),
        )
        share = 100 * background.unsure.mean()
        lines.append(f"| {video.name} | {len(images)} | {share:.2f} % |")
        note(lines[-1])
    return lines


def main(words: Sequence[str]) -> int:
    parser = ArgumentParser("make backgrounds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with sequences/ and, if there, videos/")
    parser.add_argument("--network", default="nano", help="bundled network")
    parser.add_argument("--out", type=Path, default=Path("reports/backgrounds"))
    given = parser.parse_args(words)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        place = given.out / "build"
        build(BuildRequest(network=given.network), place)
        with edge.open(place) as h:
            rows = of_sequences(h, given.data, given.out)
            lines = of_videos(h, given.data, given.out)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"`{given.network}` int8, {machine().processor}, at most {MOST} frames each.\n")
    print(HEADER)
    print("\n".join(rows))
    if lines:
        print("\n| clip | images | unsure |\n| --- | --- | --- |")
        print("\n".join(lines))
    note(f"images: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
