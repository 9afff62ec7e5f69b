"""Images of docs/accuracy.md: the sequences, and a rendered scene in less light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.benchmarks.accuracy.disturbances import CLEAN, DISTURBANCES
from edge.benchmarks.accuracy.networks import PERMISSIVE, Network, measured_disturbed
from edge.benchmarks.measuring.samples import Labelled
from edge.benchmarks.peers.absdiff import difference
from edge.benchmarks.reporting.images import Answer, comparison_grid
from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import FOREGROUND, Image

DARKER_SCENE, DARKER_INDEX, DARKER_THRESHOLD = (8, (240, 320), 777), 2, 30
"""The rendered scene and the threshold of the image in less light."""


def write_page(networks: list[Network], samples: Labelled, out: Path) -> None:
    """Write an image per sequence with three frames, and a page that shows them all."""
    shown = [n for n in measured_disturbed(networks) if n.kind != PERMISSIVE]
    scenes: dict[str, list[int]] = {}
    for index, (scene, _) in enumerate(samples):
        scenes.setdefault(scene, []).append(index)
    body = []
    for scene, of_scene in scenes.items():
        by_size = sorted(of_scene, key=lambda i: -int((samples[i][1].mask == FOREGROUND).sum()))
        chosen = [by_size[len(by_size) * part // 6] for part in (0, 2, 4)]
        of = [samples[i][1] for i in chosen]
        answers = [
            {n.name: n.answer(scene, s.bg, s.fg_bg, n.spreads[i]) for n in shown}
            for i, s in zip(chosen, of, strict=True)
        ]
        cv2.imwrite(str(out / f"{scene}.jpg"), comparison_grid(of, answers, {}))
        body.append(f'<h2>{scene}</h2><img src="{scene}.jpg" alt="{scene}" loading="lazy">')
    style = "body{font:16px sans-serif;margin:2em}img{max-width:100%}"
    (out / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>edge: accuracy</title>'
        f"<style>{style}</style><h1>Bundled networks on labelled sequences</h1>{''.join(body)}"
    )


def darker_image(networks: list[Network]) -> Image:
    """An absolute difference and the networks on a rendered scene, as recorded and 20 % darker."""
    samples, answers = [], []
    sample = Rendered(*DARKER_SCENE)[DARKER_INDEX]
    for disturbance in (CLEAN, DISTURBANCES["20 % darker"]):
        bg, frame = disturbance.apply(sample.bg, sample.fg_bg, np.random.default_rng(0))
        plain = (difference(bg, frame) >= DARKER_THRESHOLD).astype(np.float32)
        by_name: dict[str, Answer] = {f"difference > {DARKER_THRESHOLD}": (plain, None)}
        by_name |= {
            f"{n.name} int8": (n.answer("", bg, frame, sample.spread)[0], None) for n in networks
        }
        samples.append(replace(sample, bg=bg, fg_bg=frame))
        answers.append(by_name)
    return comparison_grid(samples, answers, {})
