"""Sentences of a report: its headline, and notes for reading its table."""

from __future__ import annotations

from collections.abc import Callable

from edge.benchmarks.reporting.report import Report
from edge.benchmarks.reporting.table import loss, number


def headline(report: Report) -> str:
    """Speed and loss of the last build against its FP32, as one sentence."""
    build = report.folded[-1]
    base = report.reference_of(build)
    if build is base:
        return f"{base.name} runs at {base.throughput_fps:.0f} fps."
    ratio = base.end_to_end_ms.mean / build.end_to_end_ms.mean
    mask, depth = build.drop.mask, build.drop.depth
    delta1 = "delta1" if report.samples.depth == "truth" else "delta1 against FP32's own depth"
    drops = (("IoU", mask.iou if mask else None), (delta1, depth.delta1 if depth else None))
    text = f"{build.name} runs {ratio:.2f}x as fast as FP32"
    said = ""
    for word, value in drops:
        if value is None:
            continue
        verb = "gains" if round(100 * value, 2) < 0 else "loses"
        text += f" and{'' if verb == said else f' {verb}'}"
        text += f" {loss(abs(100 * value), 2)} points of {word}"
        said = verb
    return f"{text}." if said else f"{text}; its accuracy could not be scored."


def notes(report: Report) -> list[str]:
    """Everything needed to read the table."""
    return [line for part in NOTES for line in part(report)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _general(report: Report) -> list[str]:
    samples, machine = report.samples, report.machine
    paced = report.folded[0].paced
    pause = f", a frame every {1e3 / paced.fps:.0f} ms" if paced else ""
    lines = [
        f"{samples.count} frames of {_count(samples.sequences, 'scene')} ({samples.place});"
        f" {machine.processor}, {machine.threads} of {machine.cores} cores.",
        "fps: native frame to mask and depth. p50 to p99: frame at network size to mask and depth."
        f" Paced: native frame to mask and depth{pause}. Not folded: the background graph runs at"
        " every frame. Flicker: pixels whose mask changes between two noisy takes of a frame.",
    ]
    if report.watch.disturbed:
        lines.append(f"Disturbed: {report.watch.disturbed} during the measurement.")
    lines += [
        f"{entry.name} is int8 in name: {entry.layers - (entry.int8_layers or 0)} of"
        f" {entry.layers} layers run in float."
        for entry in report.folded
        if entry.precision == "int8"
        and entry.layers
        and 2 * (entry.int8_layers or 0) < entry.layers
    ]
    if samples.depth == "fp32" and any(entry.drop.depth for entry in report.folded):
        lines.append(
            "These samples have no depth, so depth has no score; that of each build is compared"
            " with FP32's own."
        )
    if not samples.with_foreground:
        lines.append("These samples have no foreground: masks have no score without false alarms.")
    if samples.skipped:
        lines.append(f"{len(samples.skipped)} samples could not be read and were left out.")
    return lines


def thread_notes(report: Report) -> list[str]:
    """The numbers of threads that were tried."""
    tried = report.method.threads_tried_ms
    if not tried:
        return []
    shown = ", ".join(f"{count}: {ms:.3f} ms" for count, ms in tried.items())
    return [f"Threads tried: {shown}; {report.machine.threads} taken."]


def compute_notes(report: Report) -> list[str]:
    """The time that trtexec and benchmark_app report, and the rest of a frame's time."""
    lines = []
    for entry in report.folded:
        if entry.overhead is None or (entry.precision == "fp32" and len(report.folded) > 1):
            continue
        alone = entry.overhead.backend_ms
        parts = {
            "decode": report.samples.decode_ms,
            "resize": entry.preprocess_ms.p50,
            "compute": alone,
            "blobs": entry.postprocess_ms.p50,
        }
        shown = ", ".join(f"{name} {number(ms, 3)}" for name, ms in parts.items())
        device = {"h2d": entry.h2d_ms, "gpu_compute": entry.gpu_compute_ms, "d2h": entry.d2h_ms}
        stages = ", ".join(f"{k} {number(s.p50, 3)}" for k, s in device.items() if s is not None)
        clock = f"; of compute, by the GPU's clock: {stages}" if stages else ""
        lines.append(
            f"trtexec-comparable, {entry.name}: {alone:.3f} ms of compute alone,"
            f" {1e3 / alone:.0f} per second. Split of a frame, ms: {shown} (decode: a JPEG of"
            f" quality 90; resize and blobs on one thread{clock})."
        )
    return lines


def energy_notes(report: Report) -> list[str]:
    """What the machine's own meters counted."""
    return [
        f"{entry.name}: {meter} counted {used.mj_a_frame:.2f} mJ per frame, {used.watts:.1f} W,"
        " including everything else that it feeds."
        for entry in report.folded
        for meter, used in (entry.energy or {}).items()
    ]


def pace_notes(report: Report) -> list[str]:
    """Builds that miss the camera's pace, and the time of a start."""
    lines = []
    for entry in report.folded:
        pace, cold = entry.paced, entry.cold
        if pace and pace.deadline_misses:
            lines.append(
                f"{entry.name} at {pace.fps:g} fps: {pace.deadline_misses} frames late,"
                f" {pace.dropped_frames} dropped, {pace.fps_paced:g} fps reached."
            )
        if cold and entry.precision != "fp32":
            lines.append(
                f"{entry.name} opens in {cold.open_ms:.0f} ms, takes {cold.background_ms:.0f} ms"
                f" for a background and {cold.first_ms:.2f} ms for its first frame."
            )
    return lines


def gate_notes(report: Report) -> list[str]:
    """Frames that the gate skipped, and the accuracy lost."""
    return [
        f"{entry.name} behind a gate of {gate.level:g} grey levels skips"
        f" {100 * gate.skipped_share:.1f} % of the frames, F-measure"
        f" {number(gate.mask.f_measure, 4)} instead of {number(entry.mask.f_measure, 4)}."
        for entry in report.folded
        if (gate := entry.gate) and gate.mask and entry.mask
    ]


def camera_notes(report: Report) -> list[str]:
    """Cameras that ran at once, and the load that they were."""
    lines = []
    for entry in report.folded:
        if cameras := entry.cameras:
            height, width = cameras.size
            parts = ", ".join(f"{stage} {ms:.2f}" for stage, ms in cameras.ms_a_frame.items())
            lines.append(
                f"{entry.name}, {cameras.count} cameras of {width}x{height} at"
                f" {cameras.fps:g} fps, image to blobs: {cameras.late} of {cameras.frames}"
                f" frames late, {100 * cameras.busy_share:.0f} % of {cameras.cores} cores busy"
                f" ({parts} ms per frame), {cameras.rss_peak_mb:.0f} MB."
            )
    return lines


def overhead_notes(report: Report) -> list[str]:
    """The overhead of the runtime, where it was asked for."""
    if not report.method.overhead:
        return []
    return [
        f"{entry.name}: edge.infer takes {cost.infer_ms:.4f} ms, the backend's own call"
        f" {cost.backend_ms:.4f} ms: an overhead of"
        f" {1e3 * (cost.infer_ms - cost.backend_ms):.0f} us or {100 * cost.share:.1f} %"
        f" (medians of {cost.n}, interleaved)."
        for entry in report.folded
        if (cost := entry.overhead)
    ]


NOTES: tuple[Callable[[Report], list[str]], ...] = (
    _general,
    thread_notes,
    compute_notes,
    energy_notes,
    pace_notes,
    gate_notes,
    camera_notes,
    overhead_notes,
)
