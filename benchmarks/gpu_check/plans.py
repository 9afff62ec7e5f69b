"""Checks of TensorRT and TensorRT-RTX themselves: build, run, compare with the CPU, and time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import edge
from edge.benchmarks.gpu_check.check import Failed, Result, Seen, Skipped, run
from edge.benchmarks.gpu_check.scenes import planes, scenes_of
from edge.benchmarks.measuring.bench import Settings, bench
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import BuildMismatch
from edge.runtime.backend import SLOTS
from edge.samples.sample import Sample
from edge.targets import get

PRECISIONS = ("fp32", "fp16", "int8")
TARGETS = ("tensorrt", "tensorrt-rtx")
TOLERANCE = {"fp32": 1e-3, "fp16": 5e-3, "int8": 1e-2}
"""Mean difference to the CPU, which computes the same graph exactly, of values in 0..1: TensorRT
multiplies float32 in TF32, and rounds int8 after sums in an order of its own."""
AGREE = 0.995
"""Share of the pixels that must be on the same side of the mask's threshold."""


@dataclass(frozen=True)
class PlanBench:
    """network, imgsz: what is built; samples: frames for calibrating and comparing; settings: of
    the bench; capability: of the GPU; folder: where the builds go."""

    network: str
    imgsz: tuple[int, int] | None
    samples: Sequence[Sample]
    settings: Settings
    capability: int
    folder: Path

    def place(self, target: str, precision: str) -> Path:
        return self.folder / f"{self.network}-{precision}-{target}"


def plan_checks(given: PlanBench) -> Iterator[Result]:
    """Every check of every target that is installed."""
    for target in TARGETS:
        if reason := get(target).why_not_here():
            yield run(target, lambda reason=reason: _skip(reason))  # type: ignore[misc]
            continue
        results = [
            run(f"{target} {precision}", lambda t=target, p=precision: check_plan(given, t, p))  # type: ignore[misc]
            for precision in PRECISIONS
        ]
        yield from results
        whole = [p for p, r in zip(PRECISIONS, results, strict=True) if r.values]
        yield run(f"{target} bench", lambda t=target, w=whole: check_bench(given, t, w))  # type: ignore[misc]


def _skip(reason: str) -> Seen:
    raise Skipped(reason)


def check_plan(given: PlanBench, target: str, precision: str) -> Seen:
    """Build a precision, and compare its answers with the CPU's to the same graph."""
    place, sms = given.place(target, precision), get(target).sms
    own = (given.capability,) if given.capability in sms else ()
    request = BuildRequest(
        network=given.network, target=target, precision=precision, imgsz=given.imgsz, sm=own
    )
    manifest = build(request, place, samples=given.samples)
    try:
        h = edge.open(place)
    except BuildMismatch as error:
        if sms and not own:
            known = ", ".join(map(str, sms))
            raise Skipped(
                f"it builds for SM {known}, this GPU is SM {given.capability}: {error.message}"
            ) from error
        raise
    differences, agree = [], []
    with h:
        for scene in scenes_of(place, given.samples):
            edge.set_background(h, scene.bg, scene.spread)
            tickets = []
            for number, (frame, true) in enumerate(zip(scene.frames, scene.truth, strict=True)):
                found = planes(edge.infer(h, frame))
                differences.append(np.abs(found - true))
                agree.append(((found[0] > 0.5) == (true[0] > 0.5)).mean())
                if number < SLOTS:
                    tickets.append((found, frame))
            under_way = [(edge.submit(h, frame), found) for found, frame in tickets]
            for ticket, found in under_way:
                again = float(np.abs(planes(edge.wait(h, ticket)) - found).max())
                if not again <= TOLERANCE[precision]:
                    raise Failed(f"two frames under way differ from one by {again:.4g}")
    every = np.stack(differences)
    mean, largest, same = float(every.mean()), float(every.max()), float(np.mean(agree))
    if not (mean <= TOLERANCE[precision] and same >= AGREE):
        raise Failed(
            f"differs from the CPU by {mean:.4g} on average, expected at most"
            f" {TOLERANCE[precision]:g}; masks agree on {100 * same:.2f} % of the pixels, expected"
            f" at least {100 * AGREE:g} %"
        )
    counted = "not inspected"
    if manifest.layers is not None:
        counted = f"{manifest.int8_layers} of {manifest.layers} layers in int8"
    if precision == "int8" and manifest.layers is not None and not manifest.int8_layers:
        raise Failed("no layer of the int8 engine is in int8")
    return Seen(
        f"built in {manifest.build_s:.1f} s, {manifest.size_mb:.1f} MB, {counted}; differs from the"
        f" CPU by {mean:.1e} on average, {largest:.1e} at most; masks agree on"
        f" {100 * same:.2f} % of the pixels",
        {
            "build_s": manifest.build_s,
            "size_mb": manifest.size_mb,
            "layers": manifest.layers,
            "int8_layers": manifest.int8_layers,
            "mean_difference": mean,
            "largest_difference": largest,
            "mask_agreement": same,
        },
    )


def check_bench(given: PlanBench, target: str, precisions: Sequence[str]) -> Seen:
    """The precisions side by side, as `edge bench` measures them."""
    if not precisions:
        raise Skipped("there is no build to time")
    places = [given.place(target, precision) for precision in precisions]
    report = bench(places, given.settings, lambda stage, done, total: None).report
    values, parts = {}, []
    for entry in report.builds:
        if not entry.folded:
            continue
        stages = {key: getattr(entry, key) for key in ("h2d_ms", "gpu_compute_ms", "d2h_ms")}
        p50 = {key: times.p50 for key, times in stages.items() if times}
        iou = entry.drop.mask.iou if entry.drop.mask else None
        values[entry.precision] = {
            "latency_ms": entry.latency_ms.p50,
            **p50,
            "throughput_fps": entry.throughput_fps,
            "iou_drop": iou,
        }
        lost = "" if iou is None or entry.precision == "fp32" else f", {iou:.4f} IoU lost"
        parts.append(
            f"{entry.precision} {entry.latency_ms.p50:.3f} ms"
            f" (GPU {p50.get('gpu_compute_ms', math.nan):.3f}{lost})"
        )
    return Seen(f"p50 from frame to mask and depth: {', '.join(parts)}", values)
