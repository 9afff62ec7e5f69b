"""What the pages tell people to type works, and what they point to is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import typer.main

from edge.calibrate.rendering.samples import Rendered
from edge.cli.app import app

from .command import edge

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)( run)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path, only_run: bool = False) -> list[list[str]]:
    found = []
    for language, run, text in BLOCK.findall(page.read_text()):
        if language == "sh" and (run or not only_run):
            lines = text.replace("\\\n", " ").splitlines()
            found += [shlex.split(line, comments=True) for line in lines if line.strip()]
    return [words for words in found if words]


def every_edge_command() -> list[list[str]]:
    return [words for page in PAGES for words in commands(page) if words[0] == "edge"]


@pytest.mark.parametrize("words", every_edge_command(), ids=shlex.join)
def test_every_command_on_a_page_is_one_of_ours(words: list[str]) -> None:
    """Parsed as the command line parses it, without running it."""
    command = typer.main.get_command(app)
    context = command.make_context("edge", list(words[1:2]), resilient_parsing=True)
    inner, rest = command, words[1:]
    while hasattr(inner, "commands"):
        name, rest = rest[0], rest[1:]
        inner = inner.commands[name]
    inner.make_context(name, list(rest), parent=context)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if commands(p, True)], ids=lambda p: p.name)
def test_commands_marked_run_are_run(page: Path, tmp_path: Path) -> None:
    for program, *words in commands(page, only_run=True):
        assert program == "edge"
        if words[0] == "train":  # its workers are forked, and no thread may run beside them
            command = [sys.executable, "-m", "edge", *words]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        else:
            done = edge(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"


@pytest.mark.slow
def test_the_python_on_the_pages_runs(tmp_path: Path) -> None:
    sample = Rendered(1)[0]
    cv2.imwrite(str(tmp_path / "bg.png"), sample.bg)
    cv2.imwrite(str(tmp_path / "frame.png"), sample.fg_bg)
    build = ["build", "--target", "openvino", "--samples", "rendered:8"]
    assert edge(*build, cwd=tmp_path).returncode == 0
    ran = 0
    for page in PAGES:
        for language, _, text in BLOCK.findall(page.read_text()):
            if language == "python":
                done = subprocess.run(
                    [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr
                assert done.stdout.startswith("(224, 224)")
                ran += 1
    assert ran


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text()):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_make_targets_of_the_pages_exist() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {n for page in PAGES for n in re.findall(r"`make (\w+)`", page.read_text())}
    assert {"run", "test", "check"} <= named <= set(targets)


def test_ci_runs_what_the_readme_says() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_bundled_network_has_a_card() -> None:
    networks = sorted((ROOT / "edge" / "networks").glob("*.onnx"))
    assert networks
    for network in networks:
        card = network.with_suffix(".md").read_text()
        for part in ("## Trained on", "## Scores", "## Licence", "edge train"):
            assert part in card
