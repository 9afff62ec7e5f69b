"""Builds and peers by their time per frame, as an image of bars."""

from __future__ import annotations

import cv2
import numpy as np

from edge.benchmarks.reporting.report import Report
from edge.samples.sample import Image

ROW, LEFT, WIDTH, RIGHT = 26, 330, 520, 90
BUILD, PEER, INK = (80, 150, 40), (170, 170, 170), (40, 40, 40)


def chart(report: Report) -> Image:
    """A bar for each build and peer, the fastest first; its length is proportional to p50."""
    bars = [(e.name, e.latency_ms.p50, BUILD) for e in report.folded]
    bars += [(e.name, e.latency_ms.p50, PEER) for e in report.peers or ()]
    timed = sorted(
        ((name, p50, colour) for name, p50, colour in bars if p50 is not None),
        key=lambda bar: bar[1],
    )
    longest = max((p50 for _, p50, _ in timed), default=1.0)
    canvas = np.full((ROW * len(timed) + 40, LEFT + WIDTH + RIGHT, 3), 255, np.uint8)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)

    write("milliseconds per frame (p50), interleaved, a process each", LEFT, 20)
    for row, (name, p50, colour) in enumerate(timed):
        top = 32 + ROW * row
        length = max(1, round(WIDTH * p50 / longest))
        cv2.rectangle(canvas, (LEFT, top + 4), (LEFT + length, top + ROW - 4), colour, -1)
        write(name, 8, top + 17)
        write(f"{p50:.2f}", LEFT + length + 6, top + 17)
    return canvas
