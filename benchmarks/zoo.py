"""`make zoo`: from data to the bundled networks: train, export, measure, write the cards.

    python -m benchmarks.zoo DATA --teacher TEACHER.onnx

DATA is a folder with `backgrounds/`, `foregrounds/` (RGBA cut-outs) and `sequences/` (labelled).
Every step can be killed and goes on where it was; `journal.json` says how long each took, on what.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import onnx

from benchmarks import accuracy
from benchmarks.card import card
from benchmarks.machine import machine
from edge.bundled import FOLDER
from edge.files import replacing
from edge.progress import note

NETWORKS = ("nano", "tiny", "small")
LEFT_OUT = ("cdnet_highway", "sbi_IBMtest2", "sbi_Candela_m1.10")
"""Never trained on; the last one chooses the best weights, the others only score."""
JOURNAL = "journal.json"


def command(network: str, data: Path, teacher: Path, out: Path) -> list[str]:
    """The `edge train` command of a bundled network."""
    words = ["edge", "train", "--network", network]
    words += ["--data", f"composites:{data}=3", "--data", f"{data / 'sequences'}=1"]
    words += ["--data", "rendered:480=1", "--leave-out", ",".join(LEFT_OUT)]
    words += ["--validate", str(data / "sequences" / LEFT_OUT[-1])]
    words += ["--validate", "rendered:48:9000", "--depth-teacher", str(teacher)]
    words += ["--precision", "bf16-mixed", "--epochs", "10"]
    return [*words, "--pictures", "9600", "--every", "500", "--out", str(out), "--resume"]


class Journal:
    """What was done, in a file that outlives a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: dict[str, dict[str, Any]] = (
            json.loads(path.read_text()) if path.is_file() else {}
        )

    def save(self) -> None:
        with replacing(self.path) as draft:
            draft.write_text(json.dumps(self.steps, indent=2) + "\n")


def train(network: str, data: Path, teacher: Path, runs: Path, journal: Journal) -> None:
    """Train to the end; the seconds of runs that were killed count as well."""
    done = journal.steps.setdefault(network, {"seconds": 0.0, "finished": False})
    if done["finished"]:
        return
    words = command(network, data, teacher, runs / network)
    shown = shlex.join(words).replace(str(teacher), "TEACHER.onnx").replace(str(data), "DATA")
    done |= {"command": shown, "processor": machine()["processor"]}
    done["cores"] = machine()["cores"]
    started = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", *words], check=True)
        done["finished"] = True
    finally:
        done["seconds"] += time.monotonic() - started
        journal.save()


def bundle(network: str, runs: Path, data: Path) -> None:
    """Export the best weights into the package, without the names of this machine's folders."""
    file = FOLDER / f"{network}.onnx"
    words = ["edge", "export", str(runs / network / "best.pt"), "--out", str(file)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == "training":
            entry.value = entry.value.replace(str(data), "DATA")
    with replacing(file) as draft:
        onnx.save(model, draft)


def main(words: list[str]) -> int:
    parser = ArgumentParser("make zoo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the training data")
    parser.add_argument("--teacher", type=Path, required=True, help="ONNX network for depth")
    parser.add_argument("--runs", type=Path, default=Path("runs/zoo"))
    given = parser.parse_args(words)
    journal = Journal(given.runs / JOURNAL)
    for network in NETWORKS:
        note(f"{network}: training")
        train(network, given.data, given.teacher, given.runs, journal)
        bundle(network, given.runs, given.data)
    out = given.runs / "accuracy"
    if code := accuracy.main([str(given.data), "--teacher", str(given.teacher), "--out", str(out)]):
        return code
    results = json.loads((out / accuracy.RESULTS).read_text())
    for network in NETWORKS:
        text = card(network, journal.steps[network], results)
        (FOLDER / f"{network}.md").write_text(text)
    for network, step in journal.steps.items():
        note(f"{network}: {step['seconds'] / 60:.0f} min on {step['cores']} x {step['processor']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
