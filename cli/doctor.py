"""`edge doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import Json

if TYPE_CHECKING:
    from edge.doctor import Finding


def doctor(
    build: Annotated[
        Optional[Path], typer.Argument(help="Also open this build folder and run a frame.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what this machine can build and run, and what brings the rest."""
    from edge.doctor import gpu, machine, targets, training
    from edge.runtime.cuda import driver

    card = gpu(driver)
    findings = [*machine(), card, *targets(card.ok), training()]
    if build is not None:
        findings.append(_tried(build))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
        return
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        print(f"{'ok' if finding.ok else '--'}  {finding.about:<{width}}  {finding.found}")
        if finding.cure:
            print(f"    {'':<{width}}  {finding.cure}")


def _tried(build: Path) -> Finding:
    """Files, hashes, versions, and a frame through it; what does not fit is an error (exit 5)."""
    import time

    import numpy as np

    import edge
    from edge.doctor import Finding

    with edge.open(build) as h:
        picture = np.full((h.height, h.width, 3), 128, np.uint8)
        edge.set_background(h, picture)
        start = time.perf_counter()
        edge.infer(h, picture)
        taken = 1e3 * (time.perf_counter() - start)
        name = h.manifest.name
    return Finding(True, "build", f"{name}: files as built, a frame ran in {taken:.2f} ms")
