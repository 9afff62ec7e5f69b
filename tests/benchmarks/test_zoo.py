from __future__ import annotations

import itertools
import json
import shlex
from pathlib import Path

import pytest
import typer.main

from benchmarks import zoo
from benchmarks.card import card
from edge.bundled import names
from edge.cli.app import app

SCORES = {
    "f_measure": {"hall": 0.97, "yard": 0.9},
    "left_out": ["yard"],
    "lost": {"darker": 0.001, "moved": 0.03, "noise": 0.0, "shadow": 0.01},
    "still": 0.0004,
    "depth": {"rendered scenes": {"abs_rel": 0.1, "delta1": 0.9}},
}
RESULTS = {
    "absolute_difference": {"hall": 0.95, "yard": 0.8},
    "networks": {name: {"fp32": SCORES, "int8": SCORES} for name in names()},
}
STEP = {"seconds": 1800.0, "cores": 2, "processor": "CPU", "command": "edge train --network small"}


@pytest.mark.parametrize("name", names())
def test_a_card_says_what_a_user_must_know(name: str) -> None:
    text = card(name, STEP, RESULTS)
    for part in ("## Trained on", "## Scores", "## Licence", "edge train", "30 minutes on 2 cores"):
        assert part in text
    assert "| yard (left out) | 0.9000 | 0.9000 | 0.8000 |" in text
    assert "moved (0.0300), shadow (0.0100), darker (0.0010)" in text


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_the_zoo_trains_with_a_command_of_ours(name: str, tmp_path: Path) -> None:
    words = zoo.command(name, tmp_path, tmp_path / "teacher.onnx", tmp_path / "run")
    train = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    context = train.make_context("train", words[2:])
    assert context.params["network"] == name
    assert context.params["resume"]
    assert shlex.join(words).count("--data") == 3


def test_a_killed_step_is_counted_and_a_finished_one_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(words: list[str], check: bool) -> None:
        calls.append(words)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "machine", lambda: {"processor": "CPU", "cores": 2})
    monkeypatch.setattr(zoo.subprocess, "run", run)
    monkeypatch.setattr(zoo.time, "monotonic", itertools.count().__next__)
    file = tmp_path / zoo.JOURNAL
    with pytest.raises(KeyboardInterrupt):
        zoo.train("nano", tmp_path, tmp_path, tmp_path, zoo.Journal(file))
    assert not json.loads(file.read_text())["nano"]["finished"]
    for _ in range(2):
        zoo.train("nano", tmp_path, tmp_path, tmp_path, zoo.Journal(file))
    assert len(calls) == 2
    step = json.loads(file.read_text())["nano"]
    assert step["finished"]
    assert step["seconds"] == 2  # one of the clock's for each attempt
