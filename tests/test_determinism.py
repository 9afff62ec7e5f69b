"""Made again, in another folder, by another number of threads and with another order of sets, every
file is the same byte for byte; of manifests and reports everything but times and paths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MEASURED = {
    "created", "build_s", "latency_ms", "preprocess_ms", "postprocess_ms", "end_to_end_ms",
    "throughput_fps", "fps_paced", "dropped_frames", "rss_peak_mb", "decode_ms",
    "cold", "overhead", "path",
}  # fmt: skip
"""Keys that tell when, where and how fast, never what."""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("torch")
    root = tmp_path_factory.mktemp("made")
    folders = root / "one", root / "elsewhere" / "another one"
    for folder in folders:
        folder.mkdir(parents=True)
    make(folders)
    return folders


def make(folders: tuple[Path, Path], *words: str) -> None:
    cores = min(2, len(os.sched_getaffinity(0)))
    for number, (folder, threads) in enumerate(zip(folders, (1, cores), strict=True)):
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, ROOT / "tests" / "made_again.py", folder, str(threads), *words],
            env={**os.environ, "PYTHONHASHSEED": str(number + 1), "PYTHONPATH": path},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def files(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found
    return found


@pytest.mark.parametrize("part", ["data", "builds", "models"])
def test_every_file_is_the_same(twice: tuple[Path, Path], part: str) -> None:
    one, other = (files(folder / part) for folder in twice)
    assert one.keys() == other.keys()
    for name in one:
        if not name.endswith("manifest.json"):
            assert one[name] == other[name], name


def told(value: Any) -> Any:
    """A document without what is measured."""
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items() if key not in MEASURED}
    return [told(inner) for inner in value] if isinstance(value, list) else value


def test_manifests_differ_in_their_times_alone(twice: tuple[Path, Path]) -> None:
    for file in sorted((twice[0] / "builds").glob("*/manifest.json")):
        other = twice[1] / file.relative_to(twice[0])
        one, two = (json.loads(path.read_text()) for path in (file, other))
        assert told(one) == told(two)
        assert one["files"]


@pytest.mark.slow
def test_reports_differ_in_their_times_alone(twice: tuple[Path, Path]) -> None:
    make(twice, "report")
    one, two = (json.loads((folder / "report" / "report.json").read_text()) for folder in twice)
    assert told(one["samples"]) == told(two["samples"])
    assert len(one["builds"]) == len(two["builds"]) > 1
    for entry, other in zip(one["builds"], two["builds"], strict=True):
        assert told(entry) == told(other)
        assert entry["mask"]["iou"] is not None
    pictures = [(folder / "report" / "frames.jpg").read_bytes() for folder in twice]
    assert pictures[0] == pictures[1]
