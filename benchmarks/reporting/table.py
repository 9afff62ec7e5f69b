"""The report as tables of text: a column for each build, and the peers."""

from __future__ import annotations

from edge.benchmarks.reporting.report import (
    BuildEntry,
    DepthScores,
    LatencySummary,
    MaskScores,
    Report,
)

Rows = list[list[str]]
"""Cells by row; the first row holds the heads."""
Part = MaskScores | DepthScores | None


def number(value: float | None, digits: int) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def loss(value: float, digits: int) -> str:
    """A loss; one that rounds to zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _time(summary: LatencySummary, base: LatencySummary, key: str) -> str:
    """Milliseconds, and the speed relative to FP32."""
    value, reference = getattr(summary, key), getattr(base, key)
    text = number(value, 2)
    if summary is base or value is None or reference is None:
        return text
    return f"{text} ({reference / value:.2f}x)"


def _score(score: Part, drop: Part, key: str, is_base: bool) -> str:
    """A score, and what was lost against FP32 (negative: gained)."""
    value = getattr(score, key, None)
    lost = getattr(drop, key, None)
    if value is None or lost is None or is_base:
        return number(value, 4)
    return f"{value:.4f} (lost {loss(lost, 4)})"


def _unfolded(entry: BuildEntry, report: Report) -> str:
    for other in report.builds:
        if not other.folded and (other.name, other.path) == (entry.name, entry.path):
            return number(other.latency_ms.p50, 2)
    return "-"


def _column(entry: BuildEntry, report: Report) -> dict[str, str]:
    base = report.reference_of(entry)
    is_base = entry is base
    int8 = "-" if entry.layers is None else f"{entry.int8_layers} of {entry.layers}"
    faster = "" if is_base else f" ({entry.throughput_fps / base.throughput_fps:.2f}x)"
    flicker = None if entry.flicker is None else 100 * entry.flicker
    return {
        "": entry.name,
        "size, MB": number(entry.size_mb, 2),
        "layers in int8": int8,
        "fps": f"{entry.throughput_fps:.0f}{faster}",
        "p50, ms": _time(entry.latency_ms, base.latency_ms, "p50"),
        "p90, ms": _time(entry.latency_ms, base.latency_ms, "p90"),
        "p99, ms": _time(entry.latency_ms, base.latency_ms, "p99"),
        "p50 paced, ms": number(entry.paced.end_to_end_ms.p50 if entry.paced else None, 2),
        "p50 not folded, ms": _unfolded(entry, report),
        "mask IoU": _score(entry.mask, entry.drop.mask, "iou", is_base),
        "mask F-measure": _score(entry.mask, entry.drop.mask, "f_measure", is_base),
        "mask flicker, %": number(flicker, 4),
        "depth AbsRel": _score(entry.depth, entry.drop.depth, "abs_rel", is_base),
        "depth delta1": _score(entry.depth, entry.drop.depth, "delta1", is_base),
    }


def rows(report: Report) -> Rows:
    """The builds: first their names, then a row for each figure."""
    columns = [_column(entry, report) for entry in report.folded]
    if report.samples.depth == "fp32":
        for column, entry in zip(columns, report.folded, strict=True):
            off = entry.drop.depth if entry is not report.reference_of(entry) else None
            column["depth off FP32's, AbsRel"] = number(off.abs_rel if off else None, 4)
            column["depth off FP32's, delta1"] = number(1 - off.delta1 if off else None, 4)
    return [[name, *(column[name] for column in columns)] for name in columns[0]]


def peer_rows(report: Report) -> Rows:
    """The peers, the fastest first: their time, and the speed of the builds relative to them."""
    builds = [e for e in report.folded if e.precision != "fp32"] or report.folded
    lines = [["", "p50, ms", "mask F-measure", *(f"{b.name} is" for b in builds)]]
    for peer in sorted(report.peers or (), key=lambda peer: peer.latency_ms.mean):
        p50 = peer.latency_ms.p50
        ratios = [
            "-" if p50 is None or b.latency_ms.p50 is None
            else f"{p50 / b.latency_ms.p50:.2f}x as fast"
            for b in builds
        ]  # fmt: skip
        score = number(peer.mask.f_measure if peer.mask else None, 4)
        lines.append([peer.name, number(p50, 2), score, *ratios])
    return lines


def plain(report: Report) -> str:
    """The tables for a terminal, columns aligned."""
    tables = [rows(report), *([peer_rows(report)] if report.peers else [])]
    return "\n\n".join(_aligned(lines) for lines in tables)


def _aligned(lines: Rows) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
