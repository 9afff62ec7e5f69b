"""One report as a table for people and as a page for a pull request: a column per build."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]
DEVICE = ("h2d", "gpu_compute", "d2h")
"""Stages of a frame on a GPU, by its own clock (edge.runtime.backend.Staged)."""


def folded(report: dict[str, Any]) -> list[Entry]:
    return [entry for entry in report["builds"] if entry["folded"]]


def base_of(entry: Entry, report: dict[str, Any]) -> Entry:
    """FP32 of the same network for the same target."""
    return next(other for other in folded(report) if other["name"] == entry["reference"])


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _lost(value: float, digits: int) -> str:
    """A loss as text; what rounds to zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _time(entry: Entry, base: Entry, part: str, key: str) -> str:
    """Milliseconds, and how many times as fast as FP32."""
    value, reference = entry[part][key], base[part][key]
    text = _number(value, 2)
    if entry is base or value is None or reference is None:
        return text
    return f"{text} ({reference / value:.2f}x)"


def _score(entry: Entry, base: Entry, part: str, key: str) -> str:
    """A score, and what was lost against FP32 (negative: gained)."""
    if part not in entry:
        return "-"
    text = _number(entry[part][key], 4)
    return text if entry is base else f"{text} (lost {_lost(entry['drop'][part][key], 4)})"


def _unfolded(entry: Entry, report: dict[str, Any]) -> str:
    for other in report["builds"]:
        if not other["folded"] and (other["name"], other["path"]) == (entry["name"], entry["path"]):
            return _number(other["latency_ms"]["p50"], 2)
    return "-"


def _column(entry: Entry, report: dict[str, Any]) -> dict[str, str]:
    base = base_of(entry, report)
    int8 = "-" if entry["layers"] is None else f"{entry['int8_layers']} of {entry['layers']}"
    faster = "" if entry is base else f" ({entry['throughput_fps'] / base['throughput_fps']:.2f}x)"
    return {
        "": entry["name"],
        "size, MB": _number(entry["size_mb"], 2),
        "layers in int8": int8,
        "fps": f"{entry['throughput_fps']:.0f}{faster}",
        "p50, ms": _time(entry, base, "latency_ms", "p50"),
        "p90, ms": _time(entry, base, "latency_ms", "p90"),
        "p99, ms": _time(entry, base, "latency_ms", "p99"),
        "p50 paced, ms": _number(entry["paced"]["end_to_end_ms"]["p50"], 2),
        "p50 not folded, ms": _unfolded(entry, report),
        "mask IoU": _score(entry, base, "mask", "iou"),
        "mask F-measure": _score(entry, base, "mask", "f_measure"),
        "depth AbsRel": _score(entry, base, "depth", "abs_rel"),
        "depth delta1": _score(entry, base, "depth", "delta1"),
    }


def rows(report: dict[str, Any]) -> list[list[str]]:
    """The table as text: first the builds' names, then a row per figure."""
    columns = [_column(entry, report) for entry in folded(report)]
    return [[name, *(column[name] for column in columns)] for name in columns[0]]


def peer_rows(report: dict[str, Any]) -> list[list[str]]:
    """The peers as text, the fastest first: their time, and how many times as fast builds are."""
    builds = [entry for entry in folded(report) if entry["precision"] != "fp32"] or folded(report)
    lines = [["", "p50, ms", "mask F-measure", *(f"{b['name']} is" for b in builds)]]
    for peer in sorted(report["peers"], key=lambda peer: float(peer["latency_ms"]["p50"])):
        p50 = peer["latency_ms"]["p50"]
        score = _number(peer["mask"]["f_measure"], 4) if "mask" in peer else "-"
        ratios = [f"{p50 / b['latency_ms']['p50']:.2f}x as fast" for b in builds]
        lines.append([peer["name"], _number(p50, 2), score, *ratios])
    return lines


def pace_notes(report: dict[str, Any]) -> list[str]:
    """Builds that cannot keep the pace, and what a start costs."""
    lines = []
    for entry in folded(report):
        pace, cold = entry["paced"], entry["cold"]
        if pace["deadline_misses"]:
            lines.append(
                f"{entry['name']} at {pace['fps']:g} fps: {pace['deadline_misses']} frames late,"
                f" {pace['dropped_frames']} dropped, {pace['fps_paced']:g} fps reached."
            )
        if entry["precision"] != "fp32":
            lines.append(
                f"{entry['name']} starts in {cold['open_ms']:.0f} ms, takes a background in"
                f" {cold['background_ms']:.0f} ms and its first frame in {cold['first_ms']:.2f} ms."
            )
    return lines


def gate_notes(report: dict[str, Any]) -> list[str]:
    """What the gate skipped, and what that cost."""
    return [
        f"{entry['name']} behind a gate of {gate['level']:g} grey levels skips"
        f" {100 * gate['skipped_share']:.1f} % of the frames, F-measure"
        f" {gate['mask']['f_measure']:.4f} instead of {entry['mask']['f_measure']:.4f}."
        for entry in folded(report)
        if (gate := entry.get("gate")) and gate["mask"]
    ]


def camera_notes(report: dict[str, Any]) -> list[str]:
    """How many cameras ran at once, and how far that filled the machine."""
    lines = []
    for entry in folded(report):
        if found := entry.get("cameras"):
            height, width = found["size"]
            parts = ", ".join(f"{stage} {ms:.2f}" for stage, ms in found["ms_a_frame"].items())
            lines.append(
                f"{entry['name']}, {found['count']} cameras of {width}x{height} at"
                f" {found['fps']:g} fps, picture to blobs: {found['late']} of {found['frames']}"
                f" frames late, {100 * found['busy_share']:.0f} % of {found['cores']} cores"
                f" ({parts} ms a frame), {found['rss_peak_mb']:.0f} MB."
            )
    return lines


def compute_notes(report: dict[str, Any]) -> list[str]:
    """What trtexec and benchmark_app would say, and where the rest of a frame's time goes."""
    lines = []
    for entry in folded(report):
        if entry["precision"] == "fp32" and len(folded(report)) > 1:
            continue
        alone = entry["overhead"]["backend_ms"]
        parts = {
            "decode": report["samples"]["decode_ms"],
            "resize": entry["preprocess_ms"]["p50"],
            "compute": alone,
            "blobs": entry["postprocess_ms"]["p50"],
        }
        shown = ", ".join(f"{name} {_number(ms, 3)}" for name, ms in parts.items())
        there = {key: entry[f"{key}_ms"]["p50"] for key in DEVICE if f"{key}_ms" in entry}
        stages = ", ".join(f"{key} {_number(ms, 3)}" for key, ms in there.items())
        device = f"; of compute, by the GPU's clock: {stages}" if there else ""
        lines.append(
            f"trtexec-comparable, {entry['name']}: {alone:.3f} ms of compute alone,"
            f" {1e3 / alone:.0f} a second. Split of a frame, ms: {shown} (decode: a JPEG of quality"
            f" 90; resize and blobs on one thread{device})."
        )
    return lines


def energy_notes(report: dict[str, Any]) -> list[str]:
    """What the machine's own meters counted."""
    return [
        f"{entry['name']}: {name} counted {used['mj_a_frame']:.2f} mJ a frame,"
        f" {used['watts']:.1f} W, all that it feeds included."
        for entry in folded(report)
        for name, used in entry.get("energy", {}).items()
    ]


def thread_notes(report: dict[str, Any]) -> list[str]:
    """With how many threads it was tried."""
    tried = report["method"]["threads_tried_ms"]
    if not tried:
        return []
    shown = ", ".join(f"{count}: {ms:.3f} ms" for count, ms in tried.items())
    return [f"Threads tried: {shown}; {report['machine']['threads']} taken."]


def overhead_notes(report: dict[str, Any]) -> list[str]:
    """What the runtime's own work costs, where that was asked for."""
    if not report["method"]["overhead"]:
        return []
    return [
        f"{entry['name']}: edge.infer takes {cost['infer_ms']:.4f} ms where the backend's own call"
        f" takes {cost['backend_ms']:.4f} ms, {1e3 * (cost['infer_ms'] - cost['backend_ms']):.0f}"
        f" us or {100 * cost['share']:.1f} % more (medians of {cost['n']} in turn)."
        for entry in folded(report)
        for cost in (entry["overhead"],)
    ]


def headline(report: dict[str, Any]) -> str:
    """The sentence that matters: what the last build gains and loses against its FP32."""
    build = folded(report)[-1]
    base = base_of(build, report)
    if build is base:
        return f"{base['name']} runs at {base['throughput_fps']:.0f} fps."
    ratio = base["end_to_end_ms"]["mean"] / build["end_to_end_ms"]["mean"]
    lost = " and ".join(
        f"{_lost(100 * build['drop'][part][key], 2)} points of {word}"
        for part, key, word in (("mask", "iou", "IoU"), ("depth", "delta1", "delta1"))
        if part in build["drop"]
    )
    return f"{build['name']} runs {ratio:.2f}x as fast as FP32 and loses {lost}."


def notes(report: dict[str, Any]) -> list[str]:
    """What has to be known to read the table."""
    samples, where = report["samples"], report["machine"]
    pause = 1e3 / folded(report)[0]["paced"]["fps"]
    lines = [
        f"{samples['count']} frames of {samples['sequences']} scenes ({samples['place']});"
        f" {where['processor']}, {where['threads']} of {where['cores']} cores.",
        "fps: native frame in hand to mask and depth in hand. p50 to p99: frame at network size to"
        f" outputs in hand. Paced: as fps, but a frame every {pause:.0f} ms. Not folded: the"
        " background graph runs at every frame.",
    ]
    if reason := report["watch"]["disturbed"]:
        lines.append(f"Disturbed: {reason} meanwhile.")
    lines += [
        f"{entry['name']} is int8 by name: {entry['layers'] - entry['int8_layers']} of"
        f" {entry['layers']} layers run in float."
        for entry in folded(report)
        if entry["precision"] == "int8"
        and entry["layers"]
        and 2 * entry["int8_layers"] < entry["layers"]
    ]
    if samples["depth"] == "fp32":
        lines.append("These samples have no depth: it is compared with FP32's own.")
    if samples["skipped"]:
        lines.append(f"{len(samples['skipped'])} samples could not be read and were left out.")
    return [
        *lines,
        *thread_notes(report),
        *compute_notes(report),
        *energy_notes(report),
        *pace_notes(report),
        *gate_notes(report),
        *camera_notes(report),
        *overhead_notes(report),
    ]


def plain(report: dict[str, Any]) -> str:
    """The tables for a terminal, columns aligned."""
    tables = [rows(report), *([peer_rows(report)] if "peers" in report else [])]
    return "\n\n".join(_aligned(lines) for lines in tables)


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(report: dict[str, Any], command: str) -> str:
    """The report as a page: the sentence, the table, how to read it, how to repeat it."""
    lines = [f"**{headline(report)}**", "", *_page(rows(report))]
    if "peers" in report:
        lines += ["", *_page(peer_rows(report)), "", "![Milliseconds a frame](peers.png)"]
    lines += ["", *(f"- {note}" for note in notes(report)), "", f"    {command}", ""]
    lines += ["![What each build made of some frames](frames.jpg)", ""]
    return "\n".join(lines)


def _page(lines: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    first, *others = (f"| {' | '.join(row)} |" for row in lines)
    return [first, "|" + " --- |" * len(lines[0]), *others]
