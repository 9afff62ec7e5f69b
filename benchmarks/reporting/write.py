"""The files of a report: report.json, .md and .html, samples.jsonl and images."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from edge.benchmarks.measuring.bench import Outcome
from edge.benchmarks.reporting.chart import chart
from edge.benchmarks.reporting.codec import encode
from edge.benchmarks.reporting.html import page
from edge.benchmarks.reporting.markdown import markdown
from edge.files import atomic_write
from edge.samples.sample import Image


def write_report(outcome: Outcome, out: Path, command: str) -> Path:
    """Write all files of a report into `out`; returns the page.

    Args:
        outcome: What was measured.
        out: The folder.
        command: The shell command that measures again.
    """
    report = outcome.report
    _write_image(out / "frames.jpg", outcome.image)
    if report.peers:
        _write_image(out / "peers.png", chart(report))
    _write_text(out / "report.json", json.dumps(report.to_json(), indent=2) + "\n")
    lines = (json.dumps(encode(frame)) + "\n" for frame in outcome.frames)
    _write_text(out / "samples.jsonl", "".join(lines))
    _write_text(out / "report.md", markdown(report, command))
    _write_text(out / "report.html", page(report, outcome.frames, outcome.shown, command))
    return out / "report.html"


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as draft:
        draft.write_text(text)


def _write_image(path: Path, image: Image) -> None:
    with atomic_write(path) as draft:
        draft.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
