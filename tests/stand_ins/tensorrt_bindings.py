"""NVIDIA's real bindings of TensorRT, without TensorRT.

The wheels of the bindings are a megabyte and import once small libraries with empty functions stand
in for TensorRT's; then classes and enumerations can be looked at, not used.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def bindings(package: str, version: str, folder: Path, python: str = sys.executable) -> Path:
    """The unpacked wheel of the bindings for a Python, with empty libraries for what it is linked
    to: a folder for PYTHONPATH and LD_LIBRARY_PATH."""
    if not (shutil.which("gcc") and shutil.which("nm")):
        pytest.skip("no gcc and nm to make stand-ins for TensorRT's libraries")
    words = ["pip", "download", "-q", "--no-deps", "-d", str(folder), f"{package}=={version}"]
    done = subprocess.run([python, "-m", *words], capture_output=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"{package} {version} cannot be had here for this Python")
    zipfile.ZipFile(wheels[0]).extractall(folder)
    (module,) = folder.glob("tensorrt_bindings/tensorrt*.so")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", str(module)], capture_output=True, text=True, check=True
    ).stdout
    wanted = [line.split()[-1].partition("@")[0] for line in listed.splitlines()]
    ours = ("create", "getBuilder", "getPlugin", "getNvOnnx", "initLib")
    calls = [name for name in wanted if name.startswith(ours)]
    source = folder / "empty.c"
    source.write_text("".join(f"void* {name}(void) {{ return 0; }}\n" for name in calls))
    for library in ("nvinfer", "nvonnxparser", "nvinfer_plugin"):
        name = f"lib{library}.so.{version.partition('.')[0]}"
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name)]
        subprocess.run([*command, str(source)], check=True)
    return folder
