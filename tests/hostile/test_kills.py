"""Commands that are killed at random points go on or begin clean (tests/hostile/kills.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .kills import background, printed

ROOT = Path(__file__).parents[2]
KILLS = {"compose": 4, "calibrate": 2, "build": 2, "background": 1, "watch": 1, "train": 1}
"""Kills of each command here; `make kills` makes 50 and those of the slow commands."""


@pytest.mark.slow
def test_killed_commands_go_on_or_begin_clean() -> None:
    for count in sorted(set(KILLS.values())):
        names = [name for name, kills in KILLS.items() if kills == count]
        command = [sys.executable, "-m", "tests.hostile.kills", "--kills", str(count), *names]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for name in names:
            assert re.search(rf"^{name}: {count} kills, .* 1 times", done.stdout, re.M), done.stdout


def test_what_is_half_is_seen(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "bg.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(AssertionError, match=r"bg\.png"):
        background(tmp_path)
    (tmp_path / "stdout").write_text('{"id": "a"}\n{"id": "b')
    with pytest.raises(AssertionError, match=r"not on disk: \['a'\]"):
        printed(tmp_path)
