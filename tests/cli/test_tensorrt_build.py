"""What a build of TensorRT says of itself, and what it leaves beside it, with the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK = ["--samples", "rendered:4", "--calib-samples", "4", "--imgsz", "64"]


def edge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "tests" / "stand_ins" / "gpu"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": path},
        check=False,
    )


def test_a_build_is_inspected_and_its_timings_are_kept_beside_it(tmp_path: Path) -> None:
    """The timing cache changes no byte of a build, and a damaged one is named and replaced."""
    folder = tmp_path / "build"
    timings, small = folder / ".tensorrt-10.3.0.timings", folder / "small-int8-tensorrt-64x64"
    kept, made = [], []
    for spoiled in (b"", timings.name.encode()):
        if spoiled:
            timings.write_bytes(spoiled)
        done = edge("build", "--target", "tensorrt", *QUICK, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ("timing cache" in done.stderr) == bool(spoiled)
        report = json.loads(done.stdout)
        assert (report["layers"], report["int8_layers"]) == (13, 13)
        kept.append(timings.read_bytes())
        made.append({f.name: f.read_bytes() for f in small.iterdir() if f.name != "manifest.json"})
    assert f"the timing cache {timings} is not used: it is damaged" in done.stderr
    assert kept[0] == kept[1] != timings.name.encode()
    assert made[0] == made[1]
    shown = edge("inspect", small, cwd=tmp_path).stdout
    assert "13 of 13" in shown and "tensorrt 10.3.0, a GPU of SM 87" in shown
    for words, file in (
        (["triton", "--out", "models"], "models/small-int8-tensorrt-64x64/1/model.plan"),
        (["deepstream"], "build/small-int8-tensorrt-64x64-deepstream/frame.engine"),
    ):
        done = edge("build", small, "--format", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / file).stat().st_size > 0
