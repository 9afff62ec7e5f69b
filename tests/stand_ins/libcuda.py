"""A libcuda that answers one question: which CUDA the driver speaks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def libcuda(version: int, folder: Path) -> Path:
    """Make libcuda.so.1 in a folder, for LD_LIBRARY_PATH; version: 12060 for CUDA 12.6."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc to make a stand-in for libcuda")
    source = folder / "libcuda.c"
    source.write_text(f"int cuDriverGetVersion(int *to) {{ *to = {version}; return 0; }}\n")
    library = folder / "libcuda.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return folder
