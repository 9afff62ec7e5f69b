"""The whole command: on a machine without a GPU, and rehearsed on the simulated one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.benchmarks.gpu_check.__main__ import OUT, main

from .simulated import GPU

ROOT = Path(__file__).parents[3]
REHEARSAL = Path(__file__).with_name("rehearsal.py")
BACKEND = ["numpy outputs", "numpy threads", "numpy frames", "numpy stages"]
DRIVER = ["copies", "events", "graphs"]
PLANS = [f"tensorrt {what}" for what in ("fp32", "fp16", "int8", "bench")]


def rehearsed(out: Path, *fault: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(GPU), str(ROOT)])
    return subprocess.run(
        [sys.executable, str(REHEARSAL), str(out), *fault],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        check=False,
    )


def test_without_a_gpu_it_says_so_in_one_sentence(
    no_gpu: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: no GPU to check: ")
    assert not (tmp_path / OUT).exists()


@pytest.mark.slow
def test_every_step_runs_on_the_simulated_gpu(tmp_path: Path) -> None:
    done = rehearsed(tmp_path / OUT)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / OUT).read_text())
    assert document["schema"] == "edge.gpu-check/1"
    assert document["gpu"]["capability"] == 87 and document["machine"]["processor"]
    checks = {check["name"]: check for check in document["checks"]}
    passed = [name for name, check in checks.items() if check["status"] == "ok"]
    assert passed == [*DRIVER, *BACKEND, *PLANS]
    # TensorRT-RTX, where it is installed, is the real one, and has no kernels for this GPU.
    rest = {check["status"] for name, check in checks.items() if name not in passed}
    assert rest == {"skipped"}
    assert checks["numpy frames"]["values"]["frames"] == 100
    timed = checks["tensorrt bench"]["values"]
    assert list(timed) == ["fp32", "fp16", "int8"]
    assert all(each["latency_ms"] > 0 and each["gpu_compute_ms"] > 0 for each in timed.values())
    assert all(each["iou_drop"] is not None for each in timed.values())
    assert document["libraries"]["numpy"]
    assert document["gpu"]["name"] == "simulated GPU"
    first, *lines = done.stdout.splitlines()
    assert first == "simulated GPU, compute capability 8.7"
    assert len(lines) == len(checks) + 1
    assert [line.split()[0] for line in lines[:-1]] == [c["status"] for c in checks.values()]
    assert lines[-1].startswith(f"{len(passed)} ok, 0 failed, ")


def test_a_failed_check_is_the_exit_code_and_the_next_ones_still_run(tmp_path: Path) -> None:
    done = rehearsed(tmp_path / OUT, "shifted")
    assert done.returncode == 1, done.stderr
    checks = json.loads((tmp_path / OUT).read_text())["checks"]
    found = {check["name"]: check["status"] for check in checks}
    assert list(found) == [*DRIVER, *BACKEND]
    assert found["copies"] == found["numpy stages"] == "ok"
    assert found["numpy outputs"] == found["numpy threads"] == found["numpy frames"] == "failed"
    assert "Traceback" not in done.stderr
