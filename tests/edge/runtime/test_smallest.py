"""The smallest device: numpy, one backend library and our own files; no OpenCV, onnx or typer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.samples.sample import Sample

ROOT = Path(__file__).parents[3]
LOOP = """
import sys
import numpy as np
import edge
build, pictures, out = sys.argv[1:]
bg, frame = np.load(pictures)
with edge.open(build, 1) as h:
    edge.set_background(h, bg)
    np.save(out, np.stack(edge.infer(h, frame)))
known = {"cv2", "onnx", "typer", "rich", "torch"} & set(sys.modules)
assert not known, known
"""


@pytest.mark.slow
def test_the_runtime_alone(
    builds: Callable[[str, str], Path], samples: list[Sample], tmp_path: Path
) -> None:
    """In an environment of its own, which has nothing but numpy and ONNX Runtime."""
    place, python = tmp_path / "device", tmp_path / "device" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    words = ["install", "-q", "-c", str(ROOT / "constraints.txt"), "numpy", "onnxruntime"]
    done = subprocess.run(
        [python, "-m", "pip", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"numpy and onnxruntime cannot be installed here: {done.stderr[-200:]}")
    pictures, out = tmp_path / "pictures.npy", tmp_path / "out.npy"
    np.save(pictures, np.stack([samples[0].bg, samples[1].fg_bg]))
    build = builds("onnxruntime", "int8")
    done = subprocess.run(
        [python, "-c", LOOP, build, pictures, out],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with edge.open(build, 1) as h:
        edge.set_background(h, samples[0].bg)
        here = np.stack([np.asarray(plane) for plane in edge.infer(h, samples[1].fg_bg)])
    assert np.array_equal(np.load(out), here)
