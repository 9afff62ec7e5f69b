"""Which target a format takes, and how its folder is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.builder.formats import Format
from edge.builder.formats import format as module
from edge.builder.formats.format import MARK, write_folder
from edge.errors import UsageError

FORMAT = Format(
    "mine", ("openvino", "onnxruntime"), lambda build, manifest, out: [], lambda out: None
)


@pytest.mark.parametrize(
    ("running", "chosen"),
    [
        (["tensorrt", "openvino", "onnxruntime"], "openvino"),
        (["onnxruntime", "openvino"], "onnxruntime"),
        (["tensorrt"], "onnxruntime"),
        ([], "onnxruntime"),
    ],
)
def test_auto_is_the_fastest_that_runs_here_and_fits_or_else_the_last(
    running: list[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "running", lambda: [SimpleNamespace(name=n) for n in running])
    assert FORMAT.target_of("auto") == chosen


def test_a_target_is_taken_or_refused_by_name() -> None:
    assert FORMAT.target_of("openvino") == "openvino"
    with pytest.raises(UsageError, match="takes builds for openvino and onnxruntime, not for tens"):
        FORMAT.target_of("tensorrt")
    with pytest.raises(UsageError) as caught:
        FORMAT.target_of("tensorrt")
    assert caught.value.hint == "give --target onnxruntime"
    with pytest.raises(UsageError) as caught:
        replace(FORMAT, targets=("openvino",)).target_of("tensorrt")
    assert caught.value.hint == "give --target openvino"


def test_files_may_lie_in_folders_of_folders(tmp_path: Path) -> None:
    files = {"config": MARK.encode() + b"\nbatch: 1\n", "a/b/c": b"deep", "a/b/d": b"beside it"}
    write_folder(tmp_path / "out", "config", files)
    found = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes()
             for p in (tmp_path / "out").rglob("*") if p.is_file()}  # fmt: skip
    first, _, rest = found.pop("config").partition(b"\n")
    assert first.startswith(MARK.encode() + b", sha256 ")
    assert {**found, "config": MARK.encode() + b"\n" + rest} == files
    write_folder(tmp_path / "out", "config", {"config": MARK.encode()})  # ours: replaced
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["config"]
    (tmp_path / "out" / "config").write_text("of somebody else")
    with pytest.raises(UsageError, match="was not written by --format"):
        write_folder(tmp_path / "out", "config", files)
