from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def doctor(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", "doctor", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_says_what_runs_here_and_tries_a_build(
    builds: Callable[[str, str], Path], tmp_path: Path
) -> None:
    done = doctor(builds("openvino", "int8"), "--json")
    assert done.returncode == 0, done.stderr
    by = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert by["openvino"]["ok"]
    assert by["build"]["ok"]
    assert "a frame ran in" in by["build"]["text"]
    text = doctor().stdout
    assert "ok  openvino" in text
    shutil.copytree(builds("openvino", "int8"), tmp_path / "foreign")
    manifest = tmp_path / "foreign/manifest.json"
    for key, value, code, told in (
        ("target", "foo", 2, "unknown target 'foo'"),
        ("options", None, 5, "is damaged"),
    ):
        raw = json.loads((builds("openvino", "int8") / "manifest.json").read_text())
        manifest.write_text(json.dumps(raw | {key: value}))
        foreign = doctor(tmp_path / "foreign")
        assert (foreign.returncode, told in foreign.stderr) == (code, True), foreign.stderr
    wrong = doctor(tmp_path)
    assert wrong.returncode == 5
    assert "is not a build" in wrong.stderr
