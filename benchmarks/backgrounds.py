"""`make backgrounds`: automatic backgrounds against careful ones, and the masks that follow.

    python -m edge.benchmarks.backgrounds DATA [--network nano] [--out reports/backgrounds]

DATA is a folder with `sequences/` (labelled, with bg.png) and, if there, `videos/`. Backgrounds
come from unlabelled frames alone. For each sequence the table gives the share of pixels that are
more than 20 grey levels off bg.png, where the pixel was empty for a third of the time, and the
F-measure of the masks; beside it the same for the median of these frames where their labels call
them empty: bg.png is of more frames than are given.

A second table is about the spread beside bg.png (edge.scene.spread), learned from the frames
alone: how far it is off the spread by labels, and the F-measure without one, with that of all
frames, people included, with the learned one and with the one by labels; these three are of other
frames than are scored. Images of all are written: bg.png, background, confidence, spread (its
square root).
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import edge
from edge.accuracy import THRESHOLD, MaskCounts, count_mask
from edge.benchmarks.measuring import spread as spreads
from edge.benchmarks.measuring.machine import machine
from edge.calibrate.pipeline import BuildRequest, build
from edge.calibrate.samples import open_samples
from edge.errors import EdgeError
from edge.image import resize_image
from edge.loop.learn import learn_scene
from edge.progress import note
from edge.samples.median import median_where
from edge.samples.sample import BACKGROUND, Image, Sample, evenly_spaced
from edge.scene.background import AGREES, Background
from edge.scene.gather import MOST, gather_images
from edge.scene.spread import moving_share

SPREAD_HEADER = """\
| sequence | off | correlation | F without | F, all frames | F, learned | F, by labels |
| --- | --- | --- | --- | --- | --- | --- |"""
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


def f_measure(h: edge.Handle, samples: Sequence[Sample], bg: Image | None = None) -> float:
    """F-measure of the build's masks over samples of a scene, with their own background or another,
    and with their spreads."""
    counts = MaskCounts()
    scene: tuple[Image, Image | None] | None = None
    for sample in sorted(samples, key=lambda sample: id(sample.spread)):
        if scene is None or sample.spread is not scene[1]:
            scene = sample.bg if bg is None else bg, sample.spread
            spread = None if sample.spread is None else edge.fit(h, sample.spread)
            edge.set_background(h, edge.fit(h, scene[0]), spread)
        mask, _ = edge.infer(h, edge.fit(h, sample.fg_bg))
        assert mask is not None
        full = cv2.resize(np.asarray(mask), sample.mask.shape[::-1])
        counts += count_mask(np.asarray(full) >= THRESHOLD, sample.mask)
    return counts.scores()["f_measure"]


def nearness(spread: Image, true: Image) -> tuple[float, float]:
    """Mean absolute difference of the square roots, of 0..1, and their correlation, where the true
    spread is known."""
    known = true.any(-1)
    a, b = (np.sqrt(plane[known].ravel() / 255) for plane in (spread, true))
    if a.size < 2 or not a.std() or not b.std():
        return float(np.abs(a - b).mean()) if a.size else 0.0, float("nan")
    return float(np.abs(a - b).mean()), float(np.corrcoef(a, b)[0, 1])


def side_by_side(*images: npt.NDArray[np.uint8]) -> Image:
    colour = [cv2.cvtColor(i, cv2.COLOR_GRAY2BGR) if i.ndim == 2 else i for i in images]
    return np.hstack([np.asarray(image, np.uint8) for image in colour])


def scenes_of(data: Path) -> Iterator[tuple[str, list[Sample]]]:
    """The labelled sequences, at most MOST samples each."""
    source = open_samples(str(data / "sequences"))
    scenes: dict[str, list[int]] = {}
    for index in range(len(source)):
        scenes.setdefault(source.sequence(index), []).append(index)
    for scene, indices in scenes.items():
        yield scene, [source[indices[i]] for i in evenly_spaced(indices, MOST)]


def of_scene(
    h: edge.Handle, scene: str, samples: Sequence[Sample], out: Path
) -> tuple[list[float], list[float]]:
    """A row of each table; an image is written."""
    learned = learn_scene(h, [sample.fg_bg for sample in samples])
    made = learned.image, by_labels(samples)
    wrong = [100 * wrong_share(image, samples) for image in made]
    f = [f_measure(h, samples, image) for image in (samples[0].bg, *made)]
    near = nearness(spreads.without_labels(h, samples), spreads.by_labels(h, samples))
    labelled = [(scene, replace(sample, spread=None)) for sample in samples]
    lived = [f_measure(h, [sample for _, sample in labelled])]
    for learn in (spreads.of_all_frames, spreads.without_labels, spreads.by_labels):
        given = spreads.with_spread(lambda scene: h, labelled, learn)
        lived.append(f_measure(h, [sample for _, sample in given]))
    shown = samples[0].bg, learned.image, learned.confidence, shown_spread(learned)
    cv2.imwrite(str(out / f"{scene}.jpg"), side_by_side(*shown))
    return [*wrong, *f], [*near, *lived]


def shown_spread(learned: Background) -> Image:
    """The square root of a spread, at the size of the background."""
    assert learned.spread is not None
    root = (np.sqrt(learned.spread / 255) * 255).astype(np.uint8)
    return resize_image(root, *learned.image.shape[:2])


def of_sequences(h: edge.Handle, data: Path, out: Path) -> tuple[list[str], list[str]]:
    """The rows of both tables, and their means."""
    backgrounds, lives, means = [], [], []
    for scene, samples in scenes_of(data):
        pair = of_scene(h, scene, samples, out)
        backgrounds.append(row(scene, pair[0]))
        lives.append(spread_row(scene, pair[1]))
        means.append(pair)
        note(backgrounds[-1])
        note(lives[-1])
    first, second = (np.nanmean([pair[i] for pair in means], axis=0) for i in (0, 1))
    return [*backgrounds, row("**mean**", first)], [*lives, spread_row("**mean**", second)]


def spread_row(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> str:
    """A row of the table, of the values in the order of SPREAD_HEADER."""
    cells = [f"{values[0]:.4f}", f"{values[1]:.3f}"] + [f"{v:.4f}" for v in values[2:]]
    return f"| {name} | {' | '.join(cells)} |"


def row(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> str:
    """A row of the table, of the values in the order of HEADER."""
    cells = [f"{v:.2f} %" for v in values[:2]] + [f"{v:.4f}" for v in values[2:]]
    return f"| {name} | {' | '.join(cells)} |"


def of_videos(h: edge.Handle, data: Path, out: Path) -> list[str]:
    """What is to be seen of each clip: a frame, the background, its confidence, its spread."""
    lines = []
    for video in sorted((data / "videos").glob("*.*")):
        images = gather_images(str(video))
        learned = learn_scene(h, images)
        shown = images[0], learned.image, learned.confidence, shown_spread(learned)
        cv2.imwrite(str(out / f"{video.stem}.jpg"), side_by_side(*shown))
        assert learned.spread is not None
        moves = 100 * moving_share(learned.spread)
        unsure = 100 * learned.unsure.mean()
        lines.append(f"| {video.name} | {len(images)} | {unsure:.2f} % | {moves:.1f} % |")
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
            rows, lives = of_sequences(h, given.data, given.out)
            lines = of_videos(h, given.data, given.out)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"`{given.network}` int8, {machine().processor}, at most {MOST} frames each.\n")
    print(HEADER)
    print("\n".join(rows))
    print(f"\n{SPREAD_HEADER}")
    print("\n".join(lives))
    if lines:
        print("\n| clip | images | unsure | moves |\n| --- | --- | --- | --- |")
        print("\n".join(lines))
    note(f"images: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
