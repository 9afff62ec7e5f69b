"""What builds made of some frames, side by side with the truth, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.loop.overlay import outlined
from edge.samples.contact_sheet import grey
from edge.samples.sample import IGNORED, Image, Sample

HEIGHT = 150
Answer = tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32] | None]
"""mask and depth of one frame, float32 [h, w]."""


def _titled(picture: Image, title: str) -> Image:
    bar = np.full((18, picture.shape[1], 3), 30, np.uint8)
    cv2.putText(
        bar, title, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (230, 230, 230), 1, cv2.LINE_AA
    )
    return np.vstack([bar, picture])


def _fitted(picture: Image) -> Image:
    width = round(picture.shape[1] * HEIGHT / picture.shape[0])
    smaller = picture.shape[0] > HEIGHT
    smooth = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, HEIGHT), interpolation=smooth), np.uint8)


MOST = {"mask": 1.0, "depth": 0.2}
"""The difference that is shown as white."""


def heat(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], part: str) -> Image:
    """Where two masks or depths differ: black is equal, white is MOST or more; uint8 [h, w, 3]."""
    share = np.clip(np.abs(one - other) / MOST[part], 0, 1)
    return np.asarray(
        cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_INFERNO), np.uint8
    )


def differences(sample: Sample, reference: Answer, answer: Answer) -> list[Image]:
    """Heat maps of what a build gives against its FP32, at the height of a row."""
    aspect = sample.fg_bg.shape[1::-1]
    return [
        _titled(
            _fitted(np.asarray(cv2.resize(heat(one, other, part), aspect), np.uint8)),
            f"{part} off FP32, white = {MOST[part]:g}",
        )
        for part, one, other in zip(MOST, reference, answer, strict=True)
        if one is not None and other is not None
    ]


def row(sample: Sample, answers: dict[str, Answer], references: dict[str, str]) -> Image:
    """background, truth, and for each build its mask on the frame, its depth, and how both differ
    from those of its FP32. references: that build's name."""
    truth = np.where(sample.mask == IGNORED, 0.5, sample.mask / 255.0)
    parts = [_titled(_fitted(sample.bg), "background"), _titled(_fitted(grey(truth)), "true mask")]
    aspect = sample.fg_bg.shape[1::-1]
    for name, (mask, depth) in answers.items():
        if mask is not None:
            parts.append(_titled(_fitted(outlined(sample.fg_bg, mask)), f"{name}: mask"))
        if depth is not None:
            stretched = np.asarray(cv2.resize(grey(depth), aspect), np.uint8)
            parts.append(_titled(_fitted(stretched), f"{name}: depth"))
        if (base := references.get(name, name)) != name:
            parts += differences(sample, answers[base], (mask, depth))
    return np.hstack(parts)


def comparison_grid(
    samples: Sequence[Sample], answers: Sequence[dict[str, Answer]], references: dict[str, str]
) -> Image:
    """A row per sample; answers[i] holds what each build made of samples[i], references the name of
    each one's FP32."""
    rows = [row(*pair, references) for pair in zip(samples, answers, strict=True)]
    widest = max(picture.shape[1] for picture in rows)
    return np.vstack([np.pad(p, ((0, 4), (0, widest - p.shape[1]), (0, 0))) for p in rows])
