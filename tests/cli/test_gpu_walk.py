"""What a user types on a machine with TensorRT and a GPU: every command takes the GPU by itself.

Both are stand-ins (tests/stand_ins/gpu) that compute with ONNX Runtime; everything else is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GPU = Path(__file__).parents[1] / "stand_ins" / "gpu"
QUICK = ["--samples", "rendered:4", "--calib-samples", "4", "--imgsz", "64"]


def edge(*words: object, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": path},
        check=False,
    )


@pytest.fixture
def alone(tmp_path: Path) -> str:
    """PYTHONPATH of a Jetson: TensorRT, and neither OpenVINO nor TensorRT-RTX."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "away = ('openvino', 'tensorrt_rtx', 'tensorrt_rtx_bindings', 'torch')\n"
        "u.find_spec = lambda name, *a: None if name in away else find(name, *a)\n"
    )
    return f"{hidden}{os.pathsep}{GPU}"


def test_build_takes_tensorrt_and_says_so(alone: str, tmp_path: Path) -> None:
    done = edge("build", "--precision", "int8", *QUICK, "--json", cwd=tmp_path, path=alone)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"] == "tensorrt"
    assert "target tensorrt, the fastest that runs here" in done.stderr
    doctor = edge("doctor", "--json", cwd=tmp_path, path=alone)
    findings = {finding["subject"]: finding for finding in json.loads(doctor.stdout)}
    assert "builds and runs here" in findings["tensorrt"]["text"]
    assert "compute capability 8.7" in findings["GPU"]["text"]


def test_without_a_gpu_the_cpu_is_taken(tmp_path: Path) -> None:
    done = edge("build", *QUICK, "--json", cwd=tmp_path, path="")
    assert json.loads(done.stdout)["target"] == "openvino", done.stderr
    assert "tensorrt: not installed" in done.stderr


@pytest.mark.slow
def test_run_bench_and_tune_take_tensorrt(alone: str, tmp_path: Path) -> None:
    """`run` and `bench` build the bundled network first."""
    run = edge("run", "synthetic://room", "--frames", 3, "--json", cwd=tmp_path, path=alone)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "build" / "small-int8-tensorrt" / "frame.engine").is_file()
    quick = ["--samples", "rendered:2", "--duration", 0, "--iterations", 11, "--warmup", 0]
    bench = edge("bench", *quick, "--json", cwd=tmp_path, path=alone)
    assert bench.returncode == 0, bench.stderr
    builds = json.loads(bench.stdout)["builds"]
    assert {entry["target"] for entry in builds} == {"tensorrt"}
    assert {entry["precision"] for entry in builds} == {"int8", "fp32"}
    assert all("gpu_compute_ms" in entry for entry in builds if entry["folded"])
    words = ["tune", "--networks", "nano", "--imgsz", "64", "--precision", "int8", "--json"]
    words += ["--samples", "rendered:16:5", "--count", "16", "--target-fps", "1"]
    tune = edge(*words, cwd=tmp_path, path=alone)
    assert tune.returncode == 0, tune.stderr
    targets = {p["candidate"]["target"] for p in json.loads(tune.stdout)["points"]}
    assert targets == {"tensorrt", "onnxruntime"}
