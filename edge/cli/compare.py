"""`edge compare`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.cli.options import Json
from edge.errors import UsageError


def compare(
    old: Annotated[Path, typer.Argument(help="report.json of `edge bench`.")],
    new: Annotated[Path, typer.Argument(help="Another one, of the same machine and samples.")],
    as_json: Json = False,
) -> None:
    """Say of each build in two reports whether it is better now, worse, or nobody can tell."""
    from benchmarks.compare import compare as verdicts

    found = verdicts(_report(old), _report(new))
    if as_json:
        print(json.dumps([asdict(verdict) for verdict in found]))
        return
    width = max(len(verdict.name) for verdict in found)
    for verdict in found:
        scores = ", ".join(f"{name} {value:+.4f}" for name, value in verdict.scores.items())
        print(
            f"{verdict.name:<{width}}  {verdict.ratio:.3f}x the time: {verdict.verdict}; {scores}"
        )


def _report(path: Path) -> dict[str, Any]:
    from benchmarks.run import SCHEMA

    try:
        report = json.loads(path.read_text())
        schema = report["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a report.json of `edge bench`") from error
    if schema != SCHEMA or "watch" not in report:
        raise UsageError(f"{path} is of schema {schema!r}, expected {SCHEMA!r}; measure again")
    return dict(report)
