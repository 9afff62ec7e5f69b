"""Commands whose file cannot be written print their result all the same, name the file, exit 1."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.benchmarks.ledger import Candidate, Point
from edge.benchmarks.measuring.bench import Outcome
from edge.cli.app import app
from edge.files import NotWritten

SMALL = "--network nano --imgsz 64 --samples rendered:4 --calib-samples 4 --target onnxruntime"
COMMANDS = {
    "bench": "bench BUILD --samples rendered:2 --iterations 11 --duration 0 --warmup 0 --out OUT",
    "sensitivity": f"sensitivity {SMALL} --count 4 --out OUT",
    "compare": "compare --layers BUILD --samples rendered:2 --out OUT",
    "tune": "tune --networks nano --imgsz 64 --samples rendered:8 --target-fps 1 --max-drop 1"
    " --precision int8 --target onnxruntime --out OUT",
}


@pytest.fixture(autouse=True)
def measured(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed of a measurement is asked for, not the measurement."""

    def points(todo: Sequence[Candidate], samples: Path, rung: int, *_: object) -> Iterator[Point]:
        for candidate in todo:
            yield Point(candidate, rung, 100.0, 10.0, 0.9, None)

    monkeypatch.setattr("edge.benchmarks.tune._measure", points)
    monkeypatch.setattr("edge.benchmarks.measuring.bench.bench", lambda *_: outcome)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_result_is_printed(
    name: str, as_json: bool, builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder would be: no user, not even root, can write into it."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    names = {"BUILD": str(builds("onnxruntime", "int8")), "OUT": "file/out.png"}
    words = [names.get(word, word) for word in COMMANDS[name].split()]
    result = CliRunner().invoke(app, [*words, *(["--json"] if as_json else [])])
    assert isinstance(result.exception, NotWritten), result.exception
    assert str(result.exception).startswith(f"cannot write {tmp_path}/file/out.png")
    assert ".part" not in str(result.exception)
    assert result.exception.exit_code == 1
    if as_json:
        json.loads(result.stdout)
    else:
        assert len(result.stdout.splitlines()) >= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    "command",
    [
        f"build {SMALL} --out file/a",
        f"calibrate {SMALL.replace(' --target onnxruntime', '')} --out file/a",
        "dataset show rendered:2 --out file/a.png",
    ],
)
def test_the_file_that_was_asked_for_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, command.split())
    assert isinstance(result.exception, NotWritten), result.exception
    assert str(result.exception).startswith(f"cannot write {tmp_path}/file/a")
    assert ".part" not in str(result.exception)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "command",
    ["doctor --json", "run synthetic://room --build BUILD --seconds 1 --frames 3 --json"],
)
def test_a_full_stdout_is_named(command: str, builds, tmp_path: Path) -> None:
    words = command.replace("BUILD", str(builds("onnxruntime", "int8"))).split()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == "error: No space left on device: stdout"
