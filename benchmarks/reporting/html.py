"""The report as one HTML file: it loads nothing, prints, fits a phone, and follows the reader's
light or dark scheme."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from edge.benchmarks.reporting.images import Group, Panel
from edge.benchmarks.reporting.notes import headline, notes
from edge.benchmarks.reporting.plots import distribution, trade_off
from edge.benchmarks.reporting.report import BuildEntry, FrameRecord, Report, Sensitivity
from edge.benchmarks.reporting.table import Rows, peer_rows, rows

STYLE = """
:root{--ink:#1b1f24;--soft:#5b6570;--line:#c9d1d9;--page:#fff;--mark:#0b6e4f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#3a434d;--page:#0f1419;
--mark:#5bd6a8}}
*{box-sizing:border-box}body{margin:0 auto;max-width:110rem;padding:1rem;background:var(--page);
color:var(--ink);font:1rem/1.5 system-ui,sans-serif}h1{font-size:1.35rem;line-height:1.35}
h1,p,li{overflow-wrap:anywhere}h1,p,ul,pre,.bars,svg{max-width:60rem}
h2{font-size:1.05rem;margin:2rem 0 .5rem}p,li{color:var(--soft)}
.wide{overflow-x:auto;scrollbar-width:thin;
background:linear-gradient(to left,var(--page) 40%,transparent) right/3rem 100% local no-repeat,
linear-gradient(to left,color-mix(in srgb,var(--ink) 30%,transparent),transparent)
right/1rem 100% scroll no-repeat}
table{border-collapse:collapse;white-space:nowrap;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;border-bottom:1px solid var(--line)}
tbody th,thead th:first-child{position:sticky;left:0;background:var(--page)}
.bars{width:100%;min-width:30rem}.bar{width:60%}.bar span{display:block;height:.7rem;
background:var(--ink);min-width:1px}
svg{width:100%;height:auto}
.frame,.build{display:flex;flex-wrap:wrap;gap:.4rem}.frame{gap:.8rem 2rem;padding:.8rem 0;
border-bottom:1px solid var(--line)}.build{margin:0}.build h3{font-size:.8rem;margin:0;width:100%;
overflow-wrap:anywhere}figure{margin:0;width:12.5rem;max-width:calc(50% - .2rem)}
img{display:block;width:100%;height:auto}figcaption{font-size:.75rem;color:var(--soft)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;
background:color-mix(in srgb,var(--ink) 6%,var(--page));padding:.7rem}
@media(max-width:40rem){table{white-space:normal;font-size:.85rem}thead th{overflow-wrap:anywhere;
min-width:5.5rem}td{min-width:5.5rem}tbody th{min-width:6rem}.wide{padding-bottom:.4rem}}
@media print{:root{--ink:#000;--soft:#222;--page:#fff;--line:#888}h2{break-after:avoid}
svg,img,table{break-inside:avoid}.wide{overflow:visible;background:none}svg,.bars{min-width:0!important}
table{white-space:normal}}
"""
BARS = 24
"""Layers that are shown, those that lose most."""


def page(
    report: Report, frames: Sequence[FrameRecord], shown: Sequence[Sequence[Group]], command: str
) -> str:
    """The whole page.

    Args:
        report: What was measured.
        frames: Every timed frame.
        shown: Masks and depth of some frames, by build.
        command: The shell command that measures again.
    """
    parts = [
        f"<h1>{escape(headline(report))} {escape(camera_load(report))}</h1>",
        html_table(rows(report)),
        section("Time per frame", _distribution(report, frames)),
    ]
    if points := _points(report):
        parts.append(section("Accuracy against speed", points))
    parts.append(section("Masks and depth of some frames, by build", _frames(shown)))
    if report.sensitivity is not None:
        parts.append(
            section("Accuracy lost by each layer in int8 alone", _bars(report.sensitivity))
        )
    if report.peers:
        parts.append(section("Peers", html_table(peer_rows(report))))
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


def camera_load(report: Report) -> str:
    """The share of the machine that one camera takes with the last build."""
    pace = report.folded[-1].paced
    p50 = pace.end_to_end_ms.p50 if pace else None
    if pace is None or p50 is None:
        return ""
    share = p50 * pace.fps / 1e3
    count = "one camera is too much" if share > 1 else f"about {int(1 / share)} cameras"
    return f"{pace.fps:g} fps use {100 * share:.0f} % of this machine: {count}."


def labelled(entry: BuildEntry, report: Report) -> str:
    """A build's name, with its folder where another has the same."""
    same = [other for other in report.folded if other.name == entry.name]
    return f"{entry.name} ({entry.path})" if len(same) > 1 else entry.name


def section(title: str, inside: str) -> str:
    """A titled part of a page."""
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def html_table(lines: Rows) -> str:
    """A table that scrolls where it is too wide, its first column in view."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in lines[0])
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in lines[1:]
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _machine(report: Report) -> Rows:
    machine, watch = report.machine, report.watch
    others = watch.others_share
    return [
        ["", ""],
        ["processor", machine.processor],
        ["cores", f"{machine.threads} of {machine.cores}"],
        ["clock", "{:.0f} to {:.0f} MHz".format(*watch.mhz) if watch.mhz else "unknown"],
        [
            "hottest sensor",
            "{:.0f} to {:.0f} C".format(*watch.celsius) if watch.celsius else "unknown",
        ],
        ["other processes took", "unknown" if others is None else f"{100 * others:.1f} %"],
        ["system", machine.system],
        ["Python", machine.python],
        ["libraries", ", ".join(f"{name} {v}" for name, v in machine.libraries.items())],
    ]


def _bars(sensitivity: Sensitivity) -> str:
    """A bar for each layer: the most that it loses of any score."""
    lost = {layer: max(scores.values()) for layer, scores in sensitivity.drops.items()}
    order = sorted(lost, key=lambda layer: -lost[layer])[:BARS]
    most = max(*lost.values(), 1e-9)
    body = "".join(
        f'<tr><th scope="row">{escape(layer)}</th><td>{lost[layer]:+.5f}</td><td class="bar">'
        f'<span style="width:{100 * max(0.0, lost[layer]) / most:.1f}%"></span></td></tr>'
        for layer in order
    )
    key = sensitivity.key
    words = (
        f"IoU or delta1 lost, whichever is more, on {key.get('count')} samples of"
        f" {key.get('samples')} for {key.get('target')}; a negative loss is a gain."
    )
    if len(lost) > BARS:
        words += f" {len(lost) - BARS} layers that lose less are left out."
    return (
        f'<div class="wide" tabindex="0"><table class="bars"><tbody>{body}</tbody></table></div>'
        f"<p>{escape(words)}</p>"
    )


def _frames(shown: Sequence[Sequence[Group]]) -> str:
    """Images of their own, which go on in the next line where the window ends."""
    return "".join(
        f'<div class="frame">{"".join(_group(group) for group in frame)}</div>' for frame in shown
    )


def _group(group: Group) -> str:
    title = f"<h3>{escape(group.name)}</h3>" if group.name else "<h3>the sample</h3>"
    return f'<div class="build">{title}{"".join(map(_figure, group.panels))}</div>'


def _figure(panel: Panel) -> str:
    data = base64.b64encode(cv2.imencode(".jpg", panel.image)[1].tobytes()).decode()
    height, width = panel.image.shape[:2]
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}"'
        f' alt="{escape(panel.title)}"><figcaption>{escape(panel.title)}</figcaption></figure>'
    )


def _distribution(report: Report, frames: Sequence[FrameRecord]) -> str:
    by_build: dict[tuple[str, str | None], list[float]] = {}
    for frame in frames:
        if frame.folded:
            by_build.setdefault((frame.name, frame.path), []).append(frame.latency_ms)
    return distribution(
        {labelled(e, report): np.sort(by_build[e.name, e.path]) for e in report.folded}
    )


def _points(report: Report) -> str:
    """Accuracy against median time; IoU of the mask or, without one, delta1 of the depth."""
    times = {labelled(entry, report): entry.latency_ms.p50 for entry in report.folded}
    ious = {labelled(e, report): e.mask.iou if e.mask else None for e in report.folded}
    deltas = {labelled(e, report): e.depth.delta1 if e.depth else None for e in report.folded}
    for scores, up in ((ious, "IoU of the mask"), (deltas, "delta1 of the depth")):
        points = [
            (name, time, score)
            for name, time in times.items()
            if time is not None and (score := scores[name]) is not None
        ]
        if points:
            return trade_off(points, up)
    return ""
