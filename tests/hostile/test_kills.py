"""Commands that are killed at random points go on or begin clean (tests/hostile/kills.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .kills import background, printed

ROOT = Path(__file__).parents[2]
NAMES = ["compose", "calibrate", "sensitivity", "build", "background", "watch", "train", "zoo"]


@pytest.mark.slow
def test_killed_commands_go_on_or_begin_clean() -> None:
    """Each once; `make kills` kills them, and the slow ones, 50 times."""
    command = [sys.executable, "-m", "tests.hostile.kills", "--kills", "1", *NAMES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in NAMES:
        assert re.search(rf"^{name}: 1 kills, .* 1 times", done.stdout, re.M), done.stdout


def test_what_is_half_is_seen(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "bg.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(AssertionError, match=r"bg\.png"):
        background(tmp_path)
    (tmp_path / "stdout").write_text('{"id": "a"}\n{"id": "b')
    with pytest.raises(AssertionError, match=r"not on disk: \['a'\]"):
        printed(tmp_path)
