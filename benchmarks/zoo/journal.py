"""The zoo's journal: every step that ran, by which command, how long and on what machine.

Folders of this machine do not appear in what is published: words such as DATA stand for them.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from edge.benchmarks.measuring.machine import machine
from edge.errors import EdgeError
from edge.files import atomic_write

JOURNAL = "journal.json"
BEFORE, AFTER = r"(?<![^:=,\s])", r"(?=[/=:,\s]|$)"
"""A path begins after `:`, `=` or `,` (as in composites:DATA=3) and ends with a component."""
Places = Mapping[str, str]
"""Folders and files of this machine, and the word that stands for each in what is published."""


def hide_places(value: str, places: Places) -> str:
    """Put words in the place of paths in an option's value; only whole path components match."""
    known = sorted((place.rstrip("/") for place in places), key=len, reverse=True)
    if not known:
        return value
    words = {place.rstrip("/"): word for place, word in places.items()}
    pattern = BEFORE + "(" + "|".join(map(re.escape, known)) + ")" + AFTER
    return re.sub(pattern, lambda match: words[match[1]], value)


def published_command(words: Sequence[str], places: Places) -> str:
    """The shell command with its paths hidden. The program, the subcommand and the names of options
    stay as they are."""
    shown = [
        word if number < 2 or word.startswith("-") else hide_places(word, places)
        for number, word in enumerate(words)
    ]
    return shlex.join(shown)


def published_metadata(value: Any, places: Places) -> Any:
    """A JSON value with the paths in its texts hidden; keys stay as they are."""
    if isinstance(value, dict):
        return {key: published_metadata(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [published_metadata(item, places) for item in value]
    return hide_places(value, places) if isinstance(value, str) else value


class Journal:
    """Steps in a file that outlives a kill."""

    def __init__(self, path: Path, places: Places) -> None:
        self.path, self.places = path, places
        self.steps: dict[str, dict[str, Any]] = (
            json.loads(path.read_text()) if path.is_file() else {}
        )

    def save(self) -> None:
        """Write the steps."""
        with atomic_write(self.path) as draft:
            draft.write_text(json.dumps(self.steps, indent=2) + "\n")

    def run(self, name: str, words: Sequence[str], images: int) -> None:
        """Run a step to its end unless it is finished; killed runs count in its seconds too.

        Args:
            name: Of the step.
            words: The command, `edge` first.
            images: Images that the step trains on, for the journal.

        Raises:
            EdgeError: The journal has this step by another command.
        """
        shown = published_command(words, self.places)
        step = self.steps.setdefault(name, {"seconds": 0.0, "finished": False})
        if step.get("command", shown) != shown:
            raise EdgeError(
                f"{self.path} has {name} by another command\n  then: {step['command']}\n"
                f"  now: {shown}",
                "delete that entry and the step's folder, or give another --runs",
            )
        if step["finished"]:
            return
        about = machine()
        step |= {"command": shown, "processor": about.processor, "cores": about.cores}
        step |= {"gpu": gpu(), "images": images}
        started = time.monotonic()
        try:
            subprocess.run([sys.executable, "-m", *words], check=True)
            step["finished"] = True
        finally:
            step["seconds"] += time.monotonic() - started
            self.save()


def gpu() -> str | None:
    """The GPU that `edge train` takes, if its torch can use one."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    words = [sys.executable, "-c", code]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() or None


def machine_of(step: Mapping[str, Any]) -> str:
    """The machine of a step, as text."""
    cores = f"{step['cores']} cores ({step['processor']})"
    return f"one {name} and {cores}" if (name := step.get("gpu")) else f"{cores}, no GPU"


def export(checkpoint: Path, file: Path, places: Places) -> None:
    """Export the best weights, and publish that file with the paths in its metadata hidden."""
    subprocess.run([sys.executable, "-m", "edge", "export", str(checkpoint)], check=True)
    model = onnx.load(checkpoint.with_suffix(".onnx"))
    for entry in model.metadata_props:
        if entry.key == "training":
            entry.value = json.dumps(published_metadata(json.loads(entry.value), places))
    with atomic_write(file) as draft:
        onnx.save(model, draft)
