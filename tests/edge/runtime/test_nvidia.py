"""The driver's CUDA, asked of a stand-in for libcuda, and the real cuda-bindings on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import BuildMismatch
from edge.runtime import cuda, nvidia
from edge.targets import gpu

from ...stand_ins.libcuda import libcuda


def answer(code: str, version: int | None, folder: Path) -> str:
    """What a program prints on a machine whose driver speaks CUDA `version`, 12060 for 12.6."""
    env = {**os.environ}
    if version is not None:
        env["LD_LIBRARY_PATH"] = str(libcuda(version, folder))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (12060, "(12, 6) cuda12"),
        (13020, "(13, 2) cuda13"),
        (0, "None cuda13"),
        (None, "None cuda13"),
    ],
)
def test_the_driver_is_asked(version: int | None, expected: str, tmp_path: Path) -> None:
    code = "from edge.runtime import nvidia as n; print(n.driver_cuda(), n.extra())"
    assert answer(code, version, tmp_path) == expected


@pytest.mark.usefixtures("no_gpu")
def test_the_makefile_gets_an_extra_where_there_is_a_driver(tmp_path: Path) -> None:
    """It runs the file by its path, before numpy is installed."""
    code = (
        "import runpy, sys\n"
        "sys.modules['numpy'] = None\n"
        f"runpy.run_path({nvidia.__file__!r}, run_name='__main__')"
    )
    assert answer(code, 12060, tmp_path) == ",cuda12"
    assert answer(code, None, tmp_path) == ""


DRIVER = """
from edge.errors import BuildMismatch
from edge.runtime.cuda import driver
try:
    driver("cuda-python")
except BuildMismatch as error:
    print(error)
"""


@pytest.mark.usefixtures("no_gpu")
def test_the_real_bindings_on_an_older_driver_name_the_cure(tmp_path: Path) -> None:
    if not nvidia.bindings_version().startswith("13."):
        pytest.skip("cuda-bindings 13 is not installed")
    said = answer(DRIVER, 12060, tmp_path)
    assert f"cuda-bindings {nvidia.bindings_version()} needs a driver of CUDA 13" in said
    assert "this machine's speaks CUDA 12.6" in said
    assert said.endswith("pip install -c constraints.txt '.[cuda12]'")
    assert "(no NVIDIA driver)" in answer(DRIVER, None, tmp_path)


def test_without_bindings_those_of_the_driver_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "is_installed", lambda module: False)
    for speaks, extra in (((12, 8), "cuda12"), ((13, 0), "cuda13")):
        monkeypatch.setattr(nvidia, "driver_cuda", lambda speaks=speaks: speaks)
        with pytest.raises(Exception, match=rf"needs `cuda-bindings`.*\.\[{extra}\]") as caught:
            cuda.driver()
        assert not isinstance(caught.value, BuildMismatch)
    with pytest.raises(Exception, match=r"needs `pycuda`.*\.\[pycuda\]"):
        cuda.driver("pycuda")
    monkeypatch.setattr(nvidia, "driver_cuda", lambda: None)
    with pytest.raises(BuildMismatch, match="no NVIDIA driver"):
        cuda.driver()


@pytest.mark.parametrize(
    ("installed", "speaks", "why"),
    [
        ("tensorrt-cu13", (12, 9), "tensorrt-cu13 needs a driver of CUDA 13"),
        ("tensorrt-cu13", (13, 0), ""),
        ("tensorrt-cu12", (12, 2), ""),
        ("tensorrt", (12, 6), ""),  # JetPack's
        ("tensorrt-cu13", None, ""),
    ],
)
def test_a_tensorrt_for_a_newer_cuda_is_seen_before_it_fails(
    installed: str,
    speaks: tuple[int, int] | None,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nvidia, "driver_cuda", lambda: speaks)
    monkeypatch.setattr(gpu, "_installed", lambda package: package == installed)
    said = gpu.wrong_cuda(("tensorrt", "tensorrt-cu13", "tensorrt-cu12"))
    assert said.startswith(why) and bool(said) == bool(why)
    if why:
        assert said.endswith("tensorrt-cu13-libs; pip install tensorrt-cu12")
