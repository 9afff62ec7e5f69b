"""Masks and depth of some frames by build, side by side with the truth, as one image."""

from __future__ import annotations

from collections.abc import Sequence

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


def _heat_maps(sample: Sample, reference: Answer, answer: Answer) -> list[Image]:
    """Panels of the differences between a build and its FP32."""
    size = sample.fg_bg.shape[1::-1]
    return [
        _titled(
            _fitted(np.asarray(cv2.resize(heat_map(a, b, part), size), np.uint8)),
            f"{part} off FP32, white = {WHITE[part]:g}",
        )
        for part, a, b in zip(WHITE, reference, answer, strict=True)
        if a is not None and b is not None
    ]


def _groups(
    sample: Sample, answers: dict[str, Answer], references: dict[str, str]
) -> list[list[Image]]:
    """Panels of the truth, then those of each build."""
    truth = np.where(sample.mask == IGNORED, 0.5, sample.mask / 255.0)
    groups = [
        [_titled(_fitted(sample.bg), "background"), _titled(_fitted(grey(truth)), "true mask")]
    ]
    size = sample.fg_bg.shape[1::-1]
    for name, (mask, depth) in answers.items():
        panels = []
        if mask is not None:
            panels.append(_titled(_fitted(outlined(sample.fg_bg, mask)), f"{name}: mask"))
        if depth is not None:
            stretched = np.asarray(cv2.resize(grey(depth), size), np.uint8)
            panels.append(_titled(_fitted(stretched), f"{name}: depth"))
        if (base := references.get(name, name)) != name:
            panels += _heat_maps(sample, answers[base], (mask, depth))
        groups.append(panels)
    return groups


def _lines(groups: list[list[Image]]) -> list[Image]:
    """Panels side by side, in lines of at most WIDEST pixels; a build's panels stay together."""
    lines: list[list[Image]] = [[]]
    for group in groups:
        if lines[-1] and sum(p.shape[1] for p in [*lines[-1], *group]) > WIDEST:
            lines.append([])
        lines[-1] += group
    return [np.hstack(line) for line in lines if line]


def comparison_grid(
    samples: Sequence[Sample], answers: Sequence[dict[str, Answer]], references: dict[str, str]
) -> Image:
    """Show samples with what each build gives, as lines of panels.

    Args:
        samples: What is shown.
        answers: answers[i] holds the mask and depth of samples[i] by build.
        references: Name of each build's FP32, which it is compared with; empty compares nothing.

    Returns:
        uint8 [H, W, 3] BGR, at most WIDEST wide unless the panels of one build are wider.
    """
    lines = [
        line
        for sample, by_build in zip(samples, answers, strict=True)
        for line in _lines(_groups(sample, by_build, references))
    ]
    widest = max(line.shape[1] for line in lines)
    return np.vstack([np.pad(p, ((0, 4), (0, widest - p.shape[1]), (0, 0))) for p in lines])
