"""The environment that `make run` makes, by what it would type on each kind of machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
case "$*" in
*"import tensorrt"*) exit {tensorrt} ;;
*"import cv2"*) exit {opencv} ;;
*nvidia.py*) echo "{cuda}" ;;
esac
"""
"""Answers what the Makefile asks of the system's Python: 0 for yes."""


@pytest.mark.parametrize(
    ("kernel", "tensorrt", "opencv", "cuda", "extras", "system"),
    [
        ("6.8.0-generic", 1, 1, "", "openvino", False),
        ("6.8.0-generic", 1, 0, ",cuda13", "openvino,cuda13", False),
        ("6.8.0-generic", 0, 1, ",cuda12", "openvino,cuda12", True),
        ("5.15.148-tegra", 0, 0, ",cuda12", "openvino,cuda12", True),
        ("6.8.12-tegra", 0, 1, ",cuda13", "openvino,cuda13,opencv", True),
        ("6.8.12-tegra", 1, 0, "", "openvino", True),
    ],
)
def test_it_sees_the_systems_tensorrt_and_fits_the_driver(
    kernel: str,
    tensorrt: int,
    opencv: int,
    cuda: str,
    extras: str,
    system: bool,
    tmp_path: Path,
) -> None:
    if not shutil.which("make"):
        pytest.skip("no make")
    scripts = {
        "python": PYTHON.format(tensorrt=tensorrt, opencv=opencv, cuda=cuda),
        "uname": f"#!/bin/sh\necho {kernel}\n",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    words = ["make", "-n", "-B", "-C", str(ROOT), ".venv/run", f"PYTHON={tmp_path / 'python'}"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert f"-e '.[view,{extras}]'" in done.stdout
    made = next(line for line in done.stdout.splitlines() if "-m venv" in line)
    assert ("--system-site-packages" in made) == system
