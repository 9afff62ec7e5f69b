"""`edge doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import Json
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.doctor import Finding


def doctor(
    build: Annotated[
        Optional[Path], typer.Argument(help="Build folder to open and to run one frame with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report what this machine can build and run, and the commands that install the rest."""
    from edge.doctor import Finding, gpu, machine, targets, training, video
    from edge.runtime.cuda import driver

    card = gpu(driver)
    findings = [*machine(), card, *targets(), *video(), training()]
    refused: EdgeError | None = None
    if build is not None:
        try:
            findings.append(_tried(build))
        except EdgeError as error:
            refused = error
            findings.append(Finding(False, "build", error.message, error.hint))
    _print(findings, as_json)
    if refused is not None:
        raise refused


def _print(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
        return
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        print(f"{'ok' if finding.ok else '--'}  {finding.subject:<{width}}  {finding.text}")
        if finding.hint:
            print(f"    {'':<{width}}  {finding.hint}")


def _tried(build: Path) -> Finding:
    """Open a build and run one frame; BuildMismatch if it does not fit."""
    import time

    import numpy as np

    import edge
    from edge.doctor import Finding
    from edge.targets import get

    with edge.open(build) as h:
        get(h.manifest.target)
        image = np.full((h.height, h.width, 3), 128, np.uint8)
        edge.set_background(h, image)
        start = time.perf_counter()
        edge.infer(h, image)
        ms = 1e3 * (time.perf_counter() - start)
        name = h.manifest.name
    return Finding(True, "build", f"{name}: files as built, a frame ran in {ms:.2f} ms")
