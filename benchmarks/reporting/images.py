"""Masks and depth of some frames by build, side by side with the truth, as one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edge.loop.overlay import outlined
from edge.samples.contact_sheet import grey
from edge.samples.sample import IGNORED, Image, Sample

HEIGHT = 150
WIDEST = 1280
"""Pixels after which the panels of a sample go on in a new line."""
Answer = tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32] | None]
"""mask and depth of one frame, float32 [h, w]."""
WHITE = {"mask": 1.0, "depth": 0.2}
"""Difference that a heat map shows in white."""


def _titled(image: Image, title: str) -> Image:
    bar = np.full((18, image.shape[1], 3), 30, np.uint8)
    cv2.putText(
        bar, title, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (230, 230, 230), 1, cv2.LINE_AA
    )
    return np.vstack([bar, image])


def _fitted(image: Image) -> Image:
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    smaller = image.shape[0] > HEIGHT
    smooth = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, HEIGHT), interpolation=smooth), np.uint8)


def heat_map(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], part: str) -> Image:
    """Where two masks or depths differ: black is equal, white is WHITE[part] or more; uint8
    [h, w, 3]."""
    share = np.clip(np.abs(a - b) / WHITE[part], 0, 1)
    return np.asarray(
        cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_INFERNO), np.uint8
    )


class Panel(NamedTuple):
    """An image, uint8 [150, w, 3], and what it shows."""

    title: str
    image: Image


class Group(NamedTuple):
    """The panels of a build, or of the truth, which has no name."""

    name: str
    panels: list[Panel]


def _heat_maps(sample: Sample, reference: Answer, answer: Answer) -> list[Panel]:
    """Panels of the differences between a build and its FP32."""
    size = sample.fg_bg.shape[1::-1]
    return [
        Panel(
            f"{part} off FP32, white = {WHITE[part]:g}",
            _fitted(np.asarray(cv2.resize(heat_map(a, b, part), size), np.uint8)),
        )
        for part, a, b in zip(WHITE, reference, answer, strict=True)
        if a is not None and b is not None
    ]


def groups(sample: Sample, answers: dict[str, Answer], references: dict[str, str]) -> list[Group]:
    """Panels of the truth, then those of each build.

    Args:
        sample: What is shown.
        answers: Mask and depth by build.
        references: Name of each build's FP32, which it is compared with; empty compares nothing.
    """
    truth = np.where(sample.mask == IGNORED, 0.5, sample.mask / 255.0)
    shown = [
        Panel("background", _fitted(sample.bg)),
        Panel("true mask", _fitted(grey(truth))),
    ]
    made = [Group("", shown)]
    size = sample.fg_bg.shape[1::-1]
    for name, (mask, depth) in answers.items():
        panels = []
        if mask is not None:
            panels.append(Panel("mask", _fitted(outlined(sample.fg_bg, mask))))
        if depth is not None:
            stretched = np.asarray(cv2.resize(grey(depth), size), np.uint8)
            panels.append(Panel("depth", _fitted(stretched)))
        if (base := references.get(name, name)) != name:
            panels += _heat_maps(sample, answers[base], (mask, depth))
        made.append(Group(name, panels))
    return made


def _titled_panels(group: Group) -> list[Image]:
    """The build's name stands on its first panel: the others follow it in the line."""
    first = f"{group.name}: " if group.name else ""
    return [
        _titled(panel.image, f"{'' if number else first}{panel.title}")
        for number, panel in enumerate(group.panels)
    ]


def _lines(by_build: list[list[Image]]) -> list[Image]:
    """Panels side by side, in lines of at most WIDEST pixels; a build's panels stay together."""
    lines: list[list[Image]] = [[]]
    for panels in by_build:
        if lines[-1] and sum(p.shape[1] for p in [*lines[-1], *panels]) > WIDEST:
            lines.append([])
        lines[-1] += panels
    return [np.hstack(line) for line in lines if line]


def grid(shown: Sequence[Sequence[Group]]) -> Image:
    """The groups of each sample as lines of panels in one image.

    Returns:
        uint8 [H, W, 3] BGR, at most WIDEST wide unless the panels of one build are wider.
    """
    lines = [line for sample in shown for line in _lines([_titled_panels(g) for g in sample])]
    widest = max(line.shape[1] for line in lines)
    return np.vstack([np.pad(p, ((0, 4), (0, widest - p.shape[1]), (0, 0))) for p in lines])


def comparison_grid(
    samples: Sequence[Sample], answers: Sequence[dict[str, Answer]], references: dict[str, str]
) -> Image:
    """Samples with what each build gives, as one image: `grid` of the `groups` of each."""
    pairs = zip(samples, answers, strict=True)
    return grid([groups(sample, by_build, references) for sample, by_build in pairs])
