from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def inspect(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", "inspect", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_build_on_one_screen(builds: Callable[[str, str], Path], tmp_path: Path) -> None:
    place = builds("openvino", "int8")
    done = inspect(place)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) < 24
    for part in (
        "net in int8 for openvino, 64x64",
        "fg_bg uint8 [1, 64, 64, 3]",
        "scene images   bg uint8 [1, 64, 64, 3]",
        "MMAC",
        "any CPU",
    ):
        assert part in done.stdout
    assert json.loads(inspect(place, "--json").stdout)["target"] == "openvino"
    wrong = inspect(tmp_path)
    assert (wrong.returncode, wrong.stdout) == (5, "")
