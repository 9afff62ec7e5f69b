"""Plots of a page as SVG: time to the right, anything upwards; no meaning is in a colour alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise

import numpy as np
import numpy.typing as npt

DASHES = ("none", "7 4", "2 3", "9 3 2 3", "1 5", "12 4")
RIGHT, HEIGHT, LEFT, BOTTOM, TOP = 520, 310, 52, 40, 28
LETTER, KEY = 7.5, 56
"""Pixels of a letter, and of what stands before a name on the right of a plot."""
FEWEST_TICKS, MOST_LEVELS = 3, 7
STEPS = [a * 10.0**e for e in range(-4, 5) for a in (1, 2, 5)]
Point = tuple[str, float, float]
"""Name, milliseconds, value."""


class Axes:
    """A plot's frame: logarithmic milliseconds to the right, values in `low`..`high` upwards.

    names: of what is plotted; the plot is wide enough for the longest.
    """

    def __init__(
        self, times: Sequence[float], low: float, high: float, names: Iterable[str]
    ) -> None:
        self.first, self.last = math.log(min(times) * 0.9), math.log(max(times) * 1.1)
        self.low, self.high = low, high
        self.right = RIGHT
        self.width = round(RIGHT + KEY + LETTER * max(map(len, names)))

    def x(self, milliseconds: float) -> float:
        share = (math.log(milliseconds) - self.first) / (self.last - self.first)
        return LEFT + share * (self.right - LEFT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def svg(self, inside: str, label: str, up: str) -> str:
        marks = ""
        for value in self.ticks():
            x = self.x(value)
            marks += (
                f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="currentColor"/>'
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}'
                "</text>"
            )
        for value in self.levels():
            y = self.y(value)
            marks += (
                f'<path d="M{LEFT} {y:.1f}H{self.right}" stroke="var(--line)"/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
            )
        return (
            f'<div class="wide" tabindex="0"><svg viewBox="0 0 {self.width} {HEIGHT}" role="img"'
            f' style="min-width:{0.75 * self.width:.0f}px"'
            f' aria-label="{escape(label)}" font-size="12" fill="currentColor"'
            f' font-family="inherit">{marks}{inside}'
            f'<text x="{(LEFT + self.right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
            f'milliseconds per frame</text><text x="4" y="12">{escape(up)}</text></svg></div>'
        )

    def levels(self) -> list[float]:
        """Round values within the axis, at least two."""
        step = min(s for s in STEPS if s * MOST_LEVELS >= self.high - self.low)
        whole = range(math.ceil(self.low / step - 1e-6), math.floor(self.high / step + 1e-6) + 1)
        return [round(number * step, 6) for number in whole]

    def ticks(self) -> list[float]:
        """Round milliseconds within the axis, at least two; a narrow axis gets finer steps."""
        ticks = [s for s in STEPS if self.first <= math.log(s) <= self.last]
        if len(ticks) >= FEWEST_TICKS:
            return ticks
        low, high = math.exp(self.first), math.exp(self.last)
        step = max(s for s in STEPS if s * FEWEST_TICKS <= high - low)
        whole = range(math.ceil(low / step), math.floor(high / step) + 1)
        return [round(number * step, 6) for number in whole]


def separated(heights: list[float], least: float = 14) -> list[float]:
    """Heights of labels, in their order, moved so that none covers another."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved = list(heights)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + least)
    return moved


def distribution(times: Mapping[str, npt.NDArray[np.float64]]) -> str:
    """The share of frames done within a time, a line for each name. times: sorted milliseconds."""
    axes = Axes([t for values in times.values() for t in (values[0], values[-1])], 0, 1, times)
    inside = ""
    for number, (name, values) in enumerate(times.items()):
        few = np.linspace(0, len(values) - 1, min(len(values), 200)).astype(int)
        points = " ".join(
            f"{axes.x(values[i]):.1f},{axes.y((i + 1) / len(values)):.1f}" for i in few
        )
        dash = DASHES[number % len(DASHES)]
        height = TOP + 30 + 22 * number
        inside += (
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.8"'
            f' stroke-dasharray="{dash}"/>'
            f'<path d="M{axes.right + 8} {height - 4}h28" stroke="currentColor" stroke-width="1.8"'
            f' stroke-dasharray="{dash}"/><text x="{axes.right + 42}" y="{height}">{escape(name)}'
            "</text>"
        )
    label = "Distribution of the time per frame, for each build"
    return axes.svg(inside, label, "share of frames done")


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other point beats in time and value, by time."""
    return sorted(
        (
            (name, time, value)
            for name, time, value in points
            if not any(t <= time and v >= value and (t, v) != (time, value) for _, t, v in points)
        ),
        key=lambda point: point[1],
    )


def trade_off(points: Sequence[Point], up: str) -> str:
    """Value in 0..1 against time, the Pareto front filled and joined. up: name of the value."""
    values = [value for _, _, value in points]
    margin = max(max(values) - min(values), 0.02) * 0.3
    low, high = max(0.0, min(values) - margin), min(1.0, max(values) + margin)
    names = [name for name, _, _ in points]
    axes = Axes([time for _, time, _ in points], low, high, names)
    front = pareto(points)
    path = " ".join(f"{axes.x(t):.1f},{axes.y(v):.1f}" for _, t, v in front)
    inside = f'<polyline points="{path}" fill="none" stroke="var(--mark)" stroke-dasharray="3 3"/>'
    heights = separated([axes.y(value) for value in values])
    for (name, time, value), height in zip(points, heights, strict=True):
        x, y = axes.x(time), axes.y(value)
        shape = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="var(--mark)"/>'
            if (name, time, value) in front
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="currentColor"/>'
        )
        inside += (
            f'{shape}<path d="M{x + 6:.1f} {y:.1f}L{axes.right + 6} {height:.1f}"'
            f' stroke="var(--line)"/><text x="{axes.right + 10}" y="{height + 4:.1f}">'
            f"{escape(name)}</text>"
        )
    words = "Filled: no other build is both faster and more accurate (the Pareto front)."
    label = "Accuracy of each build against its time per frame"
    return axes.svg(inside, label, up) + f"<p>{words}</p>"
