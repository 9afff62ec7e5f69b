"""Builds and peers by their time per frame, as one picture of bars."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from edge.benchmarks.reporting.table import folded
from edge.samples.sample import Image

ROW, LEFT, WIDTH, RIGHT = 26, 330, 520, 90
OURS, THEIRS, INK = (80, 150, 40), (170, 170, 170), (40, 40, 40)


def chart(report: dict[str, Any]) -> Image:
    """A bar per build and peer, the fastest first; its length is p50 on a logarithmic scale."""
    bars = [(e["name"], float(e["latency_ms"]["p50"]), OURS) for e in folded(report)]
    bars += [(e["name"], float(e["latency_ms"]["p50"]), THEIRS) for e in report["peers"]]
    bars.sort(key=lambda bar: bar[1])
    times = np.array([time for _, time, _ in bars])
    low, high = np.log(times.min() / 2), np.log(times.max() * 1.05)
    canvas = np.full((ROW * len(bars) + 40, LEFT + WIDTH + RIGHT, 3), 255, np.uint8)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)

    write("ms a frame (p50, logarithmic), one process each, in turn", LEFT, 20)
    for row, (name, time, colour) in enumerate(bars):
        top = 32 + ROW * row
        length = int(WIDTH * (np.log(time) - low) / (high - low))
        cv2.rectangle(canvas, (LEFT, top + 4), (LEFT + length, top + ROW - 4), colour, -1)
        write(name, 8, top + 17)
        write(f"{time:.2f}", LEFT + length + 6, top + 17)
    return canvas
