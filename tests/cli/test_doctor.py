from __future__ import annotations

import json
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
    wrong = doctor(tmp_path)
    assert wrong.returncode == 5
    assert "is not a build" in wrong.stderr
