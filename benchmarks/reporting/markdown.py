"""The report as Markdown, for a pull request."""

from __future__ import annotations

from edge.benchmarks.reporting.notes import headline, notes
from edge.benchmarks.reporting.report import Report
from edge.benchmarks.reporting.table import Rows, peer_rows, rows


def markdown(report: Report, command: str) -> str:
    """The headline, the tables, how to read them, and the command that measures again."""
    lines = [f"**{headline(report)}**", "", *markdown_table(rows(report))]
    if report.peers:
        lines += ["", *markdown_table(peer_rows(report))]
        lines += ["", "![Milliseconds per frame of builds and peers](peers.png)"]
    lines += ["", *(f"- {note}" for note in notes(report)), "", f"    {command}", ""]
    lines += ["![Masks and depth of some frames, by build](frames.jpg)", ""]
    return "\n".join(lines)


def markdown_table(lines: Rows) -> list[str]:
    """A table as lines of Markdown."""
    first, *others = (f"| {' | '.join(row)} |" for row in lines)
    return [first, "|" + " --- |" * len(lines[0]), *others]
