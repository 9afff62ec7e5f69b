"""FP32 beside a build, where it cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.benchmarks.measuring.references import with_references
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import BuildMismatch
from edge.targets import Target


def test_an_unfinished_build_is_named_and_no_folder_of_ours(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    write_build(plan("tensorrt", "int8"), tmp_path / "device", graphs_only=True)
    with pytest.raises(BuildMismatch, match="device has no engine yet") as caught:
        with_references([tmp_path / "device"], tmp_path / "away")
    assert caught.value.hint.endswith(f"edge build {tmp_path / 'device'}")
    assert not (tmp_path / "away").exists()


def test_fp32_is_not_half_built_where_the_runtime_is_missing(
    builds: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = builds("openvino", "int8")
    monkeypatch.setattr(Target, "installed", lambda target: False)
    with pytest.raises(BuildMismatch, match="needs `openvino`, which is not installed") as caught:
        with_references([build], tmp_path / "away")
    assert "pip install" in caught.value.hint
    assert not (tmp_path / "away").exists()
