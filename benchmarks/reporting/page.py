"""The report as one file for a browser: nothing is loaded, it prints, it fits a phone, it is dark
where the reader's system is, and no meaning is in a colour alone."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from edge.benchmarks.reporting.table import folded, headline, notes, peer_rows, rows
from edge.samples.sample import Image

STYLE = """
:root{--ink:#1b1f24;--soft:#5b6570;--line:#c9d1d9;--page:#fff;--mark:#0b6e4f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#3a434d;--page:#0f1419;
--mark:#5bd6a8}}
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--page);
color:var(--ink);font:1rem/1.5 system-ui,sans-serif}h1{font-size:1.35rem;line-height:1.35}
h2{font-size:1.05rem;margin:2rem 0 .5rem}p,li{color:var(--soft)}.wide{overflow-x:auto}
table{border-collapse:collapse;white-space:nowrap;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;border-bottom:1px solid var(--line)}
.bars{width:100%;min-width:30rem}.bar{width:60%}.bar span{display:block;height:.7rem;
background:var(--ink);min-width:1px}
svg{width:100%;min-width:34rem;height:auto}.wide img{min-width:75rem;width:100%;
height:auto}pre{white-space:pre-wrap;overflow-wrap:anywhere;
background:color-mix(in srgb,var(--ink) 6%,var(--page));padding:.7rem}
@media print{:root{--ink:#000;--soft:#222;--page:#fff;--line:#888}h2{break-after:avoid}
svg,img,table{break-inside:avoid}.wide img,svg{min-width:0}}
"""
DASHES = ("none", "7 4", "2 3", "9 3 2 3", "1 5", "12 4")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 310, 52, 40, 28
ROOM = 200
"""Pixels on the right of a plot for the names of its lines."""


def page(
    report: dict[str, Any], samples: Sequence[dict[str, Any]], picture: Image, command: str
) -> str:
    """The whole page. samples: as in samples.jsonl; picture: what the builds made of frames."""
    parts = [
        f"<h1>{escape(headline(report))} {escape(cameras(report))}</h1>",
        html_table(rows(report)),
        section("How long a frame takes", _distribution(report, samples)),
        section("Accuracy against speed", _trade(report)),
        section("What each build made of some frames", _image(picture)),
    ]
    if "sensitivity" in report:
        parts.append(section("What each layer costs in int8 alone", _bars(report["sensitivity"])))
    if "peers" in report:
        parts.append(section("Beside what else there is", html_table(peer_rows(report))))
    lines = "".join(f"<li>{escape(note)}</li>" for note in notes(report))
    parts.append(section("How to read this", f"<ul>{lines}</ul>"))
    parts.append(section("The machine", html_table(_machine(report))))
    parts.append(section("The command", f"<pre>{escape(command)}</pre>"))
    return document("edge bench", parts)


def document(title: str, parts: Sequence[str]) -> str:
    """Sections as a whole page."""
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title>"
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>'
        f"<body>\n{body}\n</body></html>\n"
    )


def cameras(report: dict[str, Any]) -> str:
    """What the last build leaves of this machine, at a camera's pace."""
    build = folded(report)[-1]
    pace = build["paced"]
    each = pace["end_to_end_ms"]["p50"]
    if each is None:
        return ""
    share = each * pace["fps"] / 1e3
    count = "one camera is too much" if share > 1 else f"about {int(1 / share)} cameras"
    return f"{pace['fps']:g} fps use {100 * share:.0f} % of this machine: {count}."


def labelled(entry: dict[str, Any], report: dict[str, Any]) -> str:
    """A build's name, with its folder where another has the same."""
    same = [other for other in folded(report) if other["name"] == entry["name"]]
    return f"{entry['name']} ({entry['path']})" if len(same) > 1 else str(entry["name"])


def section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def html_table(lines: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in lines[0])
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in lines[1:]
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _machine(report: dict[str, Any]) -> list[list[str]]:
    where, watch = report["machine"], report["watch"]
    libraries = ", ".join(f"{name} {version}" for name, version in where["libraries"].items())
    clock = "unknown" if watch["mhz"] is None else "{:.0f} to {:.0f} MHz".format(*watch["mhz"])
    others = watch["others_share"]
    return [
        ["", ""],
        ["processor", where["processor"]],
        ["cores", f"{where['threads']} of {where['cores']}"],
        ["clock", clock],
        [
            "hottest sensor",
            "unknown"
            if watch["celsius"] is None
            else "{:.0f} to {:.0f} C".format(*watch["celsius"]),
        ],
        ["other processes took", "unknown" if others is None else f"{100 * others:.1f} %"],
        ["system", where["system"]],
        ["Python", where["python"]],
        ["libraries", libraries],
    ]


BARS = 24
"""Layers that are shown, the costliest."""


def _bars(found: dict[str, Any]) -> str:
    """A bar per layer: the largest of what it loses of any score."""
    lost = {layer: max(scores.values()) for layer, scores in found["lost"].items()}
    order = sorted(lost, key=lambda layer: -lost[layer])[:BARS]
    most = max(*lost.values(), 1e-9)
    body = "".join(
        f'<tr><th scope="row">{escape(layer)}</th><td>{lost[layer]:+.5f}</td><td class="bar">'
        f'<span style="width:{100 * max(0.0, lost[layer]) / most:.1f}%"></span></td></tr>'
        for layer in order
    )
    about = found["claim"]
    words = (
        f"IoU or delta1 lost, whichever is more, on {about['count']} samples of"
        f" {about['samples']} for {about['target']}; below zero is gained."
    )
    if len(lost) > BARS:
        words += f" {len(lost) - BARS} layers that cost less are left out."
    return f'<div class="wide"><table class="bars">{body}</table></div><p>{escape(words)}</p>'


def _image(picture: Image) -> str:
    data = base64.b64encode(cv2.imencode(".jpg", picture)[1].tobytes()).decode()
    height, width = picture.shape[:2]
    return (
        f'<div class="wide"><img src="data:image/jpeg;base64,{data}" width="{width}"'
        f' height="{height}" alt="background, true mask, and each build\'s mask and depth"></div>'
    )


class Axes:
    """A plot's frame: logarithmic milliseconds to the right, values in `low`..`high` upwards."""

    def __init__(self, times: Sequence[float], low: float, high: float) -> None:
        self.first, self.last = math.log(min(times) * 0.9), math.log(max(times) * 1.1)
        self.low, self.high = low, high
        self.right = WIDTH - ROOM

    def x(self, milliseconds: float) -> float:
        share = (math.log(milliseconds) - self.first) / (self.last - self.first)
        return LEFT + share * (self.right - LEFT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def svg(self, inside: str, label: str, up: str) -> str:
        marks = ""
        for value in self._ticks():
            x = self.x(value)
            marks += (
                f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="currentColor"/>'
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}'
                "</text>"
            )
        for value in np.linspace(self.low, self.high, 5):
            y = self.y(float(value))
            marks += (
                f'<path d="M{LEFT} {y:.1f}H{self.right}" stroke="var(--line)"/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
            )
        return (
            f'<div class="wide"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            f' aria-label="{escape(label)}" font-size="12" fill="currentColor"'
            f' font-family="inherit">{marks}{inside}'
            f'<text x="{(LEFT + self.right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">ms a frame'
            f'</text><text x="4" y="12">{escape(up)}</text></svg></div>'
        )

    def _ticks(self) -> list[float]:
        steps = [a * 10.0**e for e in range(-2, 4) for a in (1, 2, 5)]
        return [s for s in steps if self.first <= math.log(s) <= self.last]


def _spread(places: list[float], least: float = 14) -> list[float]:
    """Heights of labels, in their order, so that none covers another."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    found = list(places)
    for before, this in pairwise(order):
        found[this] = max(found[this], found[before] + least)
    return found


def _distribution(report: dict[str, Any], samples: Sequence[dict[str, Any]]) -> str:
    """The share of frames that were done within a time, a line per build."""
    times = {
        labelled(entry, report): np.sort(
            [
                s["latency_ms"]
                for s in samples
                if s["folded"] and (s["name"], s["path"]) == (entry["name"], entry["path"])
            ]
        )
        for entry in folded(report)
    }
    axes = Axes([t for values in times.values() for t in (values[0], values[-1])], 0, 1)
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
    label = "Distribution of the time that a frame takes, for each build"
    return axes.svg(inside, label, "share of frames done")


def _trade(report: dict[str, Any]) -> str:
    """A point per build: IoU of the mask (delta1 of the depth without one) and median time."""
    part, key, up = ("mask", "iou", "IoU of the mask")
    if not any(part in entry for entry in folded(report)):
        part, key, up = ("depth", "delta1", "delta1 of the depth")
    return trade(
        [
            (labelled(entry, report), float(entry["latency_ms"]["p50"]), float(entry[part][key]))
            for entry in folded(report)
            if part in entry
        ],
        up,
    )


def pareto(points: Sequence[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Of (name, time, value) those than which no other is both quicker and better, by time."""
    return sorted(
        (
            (name, time, value)
            for name, time, value in points
            if not any(t <= time and v >= value and (t, v) != (time, value) for _, t, v in points)
        ),
        key=lambda point: point[1],
    )


def trade(points: Sequence[tuple[str, float, float]], up: str) -> str:
    """(name, milliseconds, value) as points, the Pareto front filled and joined."""
    values = [value for _, _, value in points]
    margin = max(max(values) - min(values), 0.01) * 0.3
    axes = Axes([time for _, time, _ in points], min(values) - margin, max(values) + margin)
    front = pareto(points)
    path = " ".join(f"{axes.x(t):.1f},{axes.y(v):.1f}" for _, t, v in front)
    inside = f'<polyline points="{path}" fill="none" stroke="var(--mark)" stroke-dasharray="3 3"/>'
    heights = _spread([axes.y(value) for value in values])
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
    words = "Filled: no other build is both quicker and better (the Pareto front)."
    label = "Accuracy of each build against the time that it takes"
    return axes.svg(inside, label, up) + f"<p>{words}</p>"
