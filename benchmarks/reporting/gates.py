"""Gates on a report: accuracy lost, speed, and whether its figures can be trusted."""

from __future__ import annotations

from edge.benchmarks.reporting.report import Report
from edge.errors import AccuracyGateMissed, SpeedGateMissed, Untrustworthy


def check_drop(report: Report, allowed: float) -> None:
    """Raise AccuracyGateMissed where a build loses more IoU, F-measure or delta1 than allowed, or
    where the samples cannot show a loss of its mask."""
    masked = [entry for entry in report.builds if entry.mask is not None]
    if masked and not report.samples.with_foreground:
        raise AccuracyGateMissed(
            f"--gate-drop: the samples {report.samples.place} have no foreground, so they show no"
            f" loss of the mask of {masked[-1].name}",
            "give --samples with foreground",
        )
    losses = all_losses(report)
    if not losses:
        raise AccuracyGateMissed("--gate-drop: no build has a score that it could lose")
    lost, name, key = max(losses)
    if lost > allowed:
        raise AccuracyGateMissed(f"{name} loses {key}: {lost:.4f}, allowed is {allowed:g}")


def all_losses(report: Report) -> list[tuple[float, str, str]]:
    """(loss, build, score) of IoU, F-measure and delta1 against FP32."""
    losses = []
    for entry in report.builds:
        mask, depth = entry.drop.mask, entry.drop.depth
        scores = {
            "iou": mask.iou if mask else None,
            "f_measure": mask.f_measure if mask else None,
            "delta1": depth.delta1 if depth else None,
        }
        losses += [(v, entry.name, key) for key, v in scores.items() if v is not None]
    return losses


def check_fps(report: Report, asked: float) -> None:
    """Raise SpeedGateMissed where a given build is slower than asked."""
    given = [entry for entry in report.folded if entry.path]
    slowest = min(given, key=lambda entry: entry.throughput_fps)
    if slowest.throughput_fps < asked:
        raise SpeedGateMissed(
            f"{slowest.name} runs at {slowest.throughput_fps:g} fps, asked are {asked:g}"
        )


def check_undisturbed(report: Report) -> None:
    """Raise Untrustworthy where the machine was disturbed."""
    if report.watch.disturbed:
        raise Untrustworthy(
            f"the figures are not trustworthy: {report.watch.disturbed}",
            "measure again on a quiet machine",
        )
