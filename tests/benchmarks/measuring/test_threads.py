from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.threads import counts, fewest, time_threads
from edge.calibrate.rendering.samples import Rendered
from edge.errors import UsageError
from edge.runtime.cores import usable_cores


@pytest.mark.parametrize(
    ("cores", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_powers_of_two_and_all_cores_are_tried(cores: int, expected: list[int]) -> None:
    assert counts(cores) == expected


def test_a_thread_that_wins_nothing_is_left_to_others() -> None:
    assert fewest({1: 1.0, 2: 0.6, 4: 0.595}) == 2
    assert fewest({1: 1.0, 2: 1.3, 4: 0.9}) == 4


def test_each_number_is_measured_on_the_build(builds, tmp_path: Path) -> None:
    file = tmp_path / "samples.pickle"
    rendered = Rendered(2, (64, 64), seed=5)
    file.write_bytes(pickle.dumps([("a", rendered[0]), ("a", rendered[1])]))
    job = BuildJob(builds("openvino", "int8"), True, 1, file, tmp_path)
    p50_ms = time_threads(job, 20, lambda stage, done, total: None)
    assert list(p50_ms) == counts(usable_cores())
    assert all(p50 > 0 for p50 in p50_ms.values())


def test_more_threads_than_cores_are_refused(builds) -> None:
    with pytest.raises(UsageError, match=rf"may use {usable_cores()} cores"):
        edge.open(builds("openvino", "int8"), threads=usable_cores() + 1)


@pytest.mark.slow
def test_a_benchmark_takes_them(builds, tmp_path: Path) -> None:
    layers = {
        "key": {"count": 1, "samples": "s", "target": "openvino"},
        "drops": {"a": {"iou": 1}},
    }
    file = tmp_path / "sensitivity.json"
    file.write_text(json.dumps(layers))
    words = ["bench", builds("openvino", "int8"), "--samples", "rendered:4", "--duration", "0"]
    words += ["--iterations", "11", "--warmup", "0", "--tune-threads", "--sensitivity", file]
    command = [sys.executable, "-m", "edge", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    tried_ms = {int(n): ms for n, ms in report["method"]["threads_tried_ms"].items()}
    assert report["machine"]["threads"] == fewest(tried_ms)
    assert report["sensitivity"] == layers
    text = (tmp_path / "reports" / "report.md").read_text()
    assert "Threads tried: 1: " in text
    assert "trtexec-comparable" in text
    assert "--tune-threads" in text
    for extra, said in (
        (["--threads", "1"], "leave --threads out"),
        ([builds("onnxruntime", "int8")], "--tune-threads is for one build, 2 were given"),
        (["--sensitivity", builds("openvino", "int8") / "manifest.json"], "not a result of"),
    ):
        refused = subprocess.run(
            [*command, *map(str, extra)], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert refused.returncode == 2
        assert said in refused.stderr
