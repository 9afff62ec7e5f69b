"""`make zoo`: from data to the bundled networks: train, prune, export, measure, write the cards.

    python -m edge.benchmarks.zoo DATA --teacher TEACHER.onnx

DATA is a folder with `backgrounds/`, `foregrounds/` (RGBA cut-outs) and `sequences/` (labelled).
A killed run goes on where it was; `journal.json` records how long each step took, and where.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from edge.benchmarks.accuracy import __main__ as accuracy
from edge.benchmarks.zoo.card import card
from edge.benchmarks.zoo.journal import JOURNAL, Journal, machine_of
from edge.benchmarks.zoo.training import NETWORKS, train_all
from edge.bundled import FOLDER
from edge.errors import EdgeError
from edge.files import atomic_write
from edge.progress import note


def main(words: list[str]) -> int:
    """Run everything; returns the exit code."""
    parser = ArgumentParser("make zoo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the training data")
    parser.add_argument("--teacher", type=Path, required=True, help="ONNX network for depth")
    parser.add_argument("--runs", type=Path, default=Path("runs/zoo"))
    given = parser.parse_args(words)
    places = {str(given.teacher): "TEACHER.onnx", str(given.runs): "RUNS", str(given.data): "DATA"}
    journal = Journal(given.runs / JOURNAL, places)
    out = given.runs / "accuracy"
    try:
        train_all(given.data, given.teacher, given.runs, journal)
        accuracy.run(given.data, given.teacher, given.runs, out)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except subprocess.CalledProcessError as error:
        print("error: the command above failed; `make zoo` goes on from there", file=sys.stderr)
        return error.returncode
    results = json.loads((out / accuracy.RESULTS).read_text())
    for network in NETWORKS:
        with atomic_write(FOLDER / f"{network}.md") as draft:
            draft.write_text(card(network, journal.steps, results))
    for name, step in journal.steps.items():
        note(f"{name}: {step['seconds'] / 60:.0f} min on {machine_of(step)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
