"""One report as a table for people and as a page for a pull request."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    "build",
    "MB",
    "int8",
    "fps",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "IoU",
    "F",
    "AbsRel",
    "delta1",
    "lost IoU",
    "lost F",
    "lost delta1",
    "p50 unfolded",
)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _lost(entry: dict[str, Any], part: str, key: str) -> str:
    if entry["precision"] == "fp32":
        return ""
    value = entry["drop"].get(part, {}).get(key)
    return "-" if value is None else f"{value:+.4f}"


def rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row of text per build; what was measured without folding stands in the last column."""
    unfolded = {
        (entry["name"], entry["path"]): entry["latency_ms"]["p50"]
        for entry in report["builds"]
        if not entry["folded"]
    }
    found = []
    for entry in report["builds"]:
        if not entry["folded"]:
            continue
        mask, depth = entry.get("mask", {}), entry.get("depth", {})
        times = entry["latency_ms"]
        proof = "-" if entry["layers"] is None else f"{entry['int8_layers']}/{entry['layers']}"
        found.append(
            (
                entry["name"],
                _number(entry["size_mb"], 2),
                proof,
                _number(entry["throughput_fps"], 0),
                *(_number(times[key], 2) for key in ("p50", "p90", "p99")),
                *(_number(mask.get(key), 4) for key in ("iou", "f_measure")),
                *(_number(depth.get(key), 4) for key in ("abs_rel", "delta1")),
                _lost(entry, "mask", "iou"),
                _lost(entry, "mask", "f_measure"),
                _lost(entry, "depth", "delta1"),
                _number(unfolded.get((entry["name"], entry["path"])), 2),
            )
        )
    return found


def headline(report: dict[str, Any]) -> str:
    """The sentence that matters: what the last build gains and loses against its FP32."""
    folded = [entry for entry in report["builds"] if entry["folded"]]
    build = folded[-1]
    base = next(e for e in folded if e["precision"] == "fp32" and e["target"] == build["target"])
    if build is base:
        return f"{base['name']} runs at {base['throughput_fps']:.0f} fps."
    ratio = base["end_to_end_ms"]["mean"] / build["end_to_end_ms"]["mean"]
    lost = []
    for part, key, word in (("mask", "iou", "IoU"), ("depth", "delta1", "delta1")):
        if part in build["drop"]:
            value = 100 * build["drop"][part][key]
            verb = "loses" if value >= 0 else "gains"
            lost.append(f"{verb} {abs(value):.2f} points of {word}")
    return f"{build['name']} runs {ratio:.2f}x as fast as FP32 and {' and '.join(lost)}."


def notes(report: dict[str, Any]) -> list[str]:
    """What has to be known to read the table."""
    samples, where = report["samples"], report["machine"]
    lines = [
        f"{samples['count']} frames of {samples['sequences']} scenes ({samples['place']});"
        f" {where['processor']}, {where['threads']} of {where['cores']} cores.",
        "fps: native frame in hand to mask and depth in hand; p50 to p99: frame at network size to"
        " outputs in hand. Background folded, but in the last column.",
    ]
    if samples["depth"] == "fp32":
        lines.append("These samples have no depth: it is compared with FP32's own.")
    if samples["skipped"]:
        lines.append(f"{len(samples['skipped'])} samples could not be read and were left out.")
    return lines


def plain(report: dict[str, Any]) -> str:
    """The table for a terminal, columns aligned."""
    lines = [COLUMNS, *rows(report)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(report: dict[str, Any], command: str) -> str:
    """The report as a page: the sentence, the table, how to read it, how to repeat it."""
    lines = [f"**{headline(report)}**", "", "| " + " | ".join(COLUMNS) + " |"]
    lines.append("|" + " --- |" * len(COLUMNS))
    lines += ["| " + " | ".join(row) + " |" for row in rows(report)]
    lines += ["", *(f"- {note}" for note in notes(report)), "", f"    {command}", ""]
    return "\n".join(lines)
