"""Build folders: whole or not there at all."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edge import manifest as manifests
from edge.builder import write as builds_module
from edge.builder.write import Plan, finish, write
from edge.errors import EdgeError, UsageError
from edge.manifest import BuildMismatch


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_build_is_what_its_manifest_says(plan: Callable[..., Plan], tmp_path: Path) -> None:
    manifest = write(plan("openvino", "int8"), tmp_path / "a", time.monotonic())
    assert manifests.read(tmp_path / "a") == manifest
    assert leftovers(tmp_path) == ["a"]
    assert set(manifest.files) | {"manifest.json"} == {p.name for p in (tmp_path / "a").iterdir()}
    assert {t.name for t in manifest.outputs} == {"mask", "depth"}
    assert [t.name for t in manifest.inputs] == ["fg_bg"]
    assert manifest.scene
    assert manifest.calibration["count"] == 8
    assert manifest.model["colour_order"] == "BGR"


def test_building_again_replaces(plan: Callable[..., Plan], tmp_path: Path) -> None:
    write(plan("onnxruntime", "int8"), tmp_path / "a", time.monotonic())
    write(plan("onnxruntime", "fp32"), tmp_path / "a", time.monotonic())
    assert manifests.read(tmp_path / "a").precision == "fp32"
    assert leftovers(tmp_path) == ["a"]


def test_a_folder_of_something_else_is_not_overwritten(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds thesis\.txt, which is of no build"):
        write(plan("onnxruntime", "fp32"), tmp_path / "a", time.monotonic())
    assert (tmp_path / "a" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    "manifest",
    ['{"name": "a page", "manifest_version": 3}', "[]", "", '{"schema": "edge.build/1"}'],
)
def test_a_manifest_of_something_else_is_not_overwritten(
    manifest: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=r"holds manifest\.json, which is of no build"):
        write(plan("onnxruntime", "fp32"), tmp_path, time.monotonic())
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_what_was_put_beside_a_build_is_not_lost(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a"
    write(plan("onnxruntime", "fp32"), place, time.monotonic())
    (place / "frame.cache").write_bytes(b"of a GPU")
    (place / "bg.png").write_bytes(b"of a camera")
    with pytest.raises(UsageError, match=r"holds bg\.png"):
        write(plan("onnxruntime", "fp32"), place, time.monotonic())
    (place / "bg.png").unlink()
    monkeypatch.chdir(place)
    write(plan("onnxruntime", "fp16"), Path(), time.monotonic())
    assert manifests.read(place).precision == "fp16"
    assert not (place / "frame.cache").exists()


def test_two_that_write_one_build_do_not_mix(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process publishes the same build while this one is half-way."""
    fp32, fp16 = plan("onnxruntime", "fp32"), plan("onnxruntime", "fp16")
    mine, other = os.getpid(), os.getppid()
    sealed = builds_module._sealed

    def interrupted(folder: Path, manifest: manifests.Manifest) -> manifests.Manifest:
        monkeypatch.setattr(builds_module, "_sealed", sealed)
        monkeypatch.setattr(os, "getpid", lambda: other)
        write(fp16, tmp_path / "a", time.monotonic())
        monkeypatch.setattr(os, "getpid", lambda: mine)
        return sealed(folder, manifest)

    monkeypatch.setattr(builds_module, "_sealed", interrupted)
    write(fp32, tmp_path / "a", time.monotonic())
    assert manifests.read(tmp_path / "a").precision == "fp32"
    assert leftovers(tmp_path) == ["a"]


def test_drafts_of_killed_builds_are_removed(plan: Callable[..., Plan], tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    left = tmp_path / f".a.{gone.pid}.part"
    left.mkdir()
    (left / "frame.onnx").write_bytes(b"half")
    working = tmp_path / f".a.{os.getppid()}.part"
    working.mkdir()
    write(plan("onnxruntime", "fp32"), tmp_path / "a", time.monotonic())
    assert leftovers(tmp_path) == [working.name, "a"]


@pytest.mark.parametrize(
    "stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_build_that_fails_leaves_the_old_one(
    stop: BaseException, plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(plan("onnxruntime", "fp32"), tmp_path / "a", time.monotonic())
    before = manifests.read(tmp_path / "a")

    def fail(*_: object) -> None:
        raise stop

    monkeypatch.setattr(builds_module, "_sealed", fail)
    with pytest.raises((EdgeError, KeyboardInterrupt)) as caught:
        write(plan("onnxruntime", "int8"), tmp_path / "a", time.monotonic())
    if isinstance(caught.value, EdgeError):
        assert "No space left on device; nothing was left behind" in str(caught.value)
    assert manifests.read(tmp_path / "a") == before
    assert leftovers(tmp_path) == ["a"]


def test_without_tensorrt_the_graphs_are_written_for_the_device(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    manifest = write(plan("tensorrt", "int8"), tmp_path / "jetson", time.monotonic())
    assert manifest.engine == ""
    onnx.checker.check_model(onnx.load(tmp_path / "jetson" / "frame.onnx"))
    with pytest.raises(
        BuildMismatch, match=r"`tensorrt` is not installed here; .* edge build .*jetson"
    ):
        finish(tmp_path / "jetson", time.monotonic())


def test_the_device_finishes_a_prepared_folder(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps as on a Jetson, with TensorRT-RTX's real builder in TensorRT's place."""
    pytest.importorskip("tensorrt_rtx")
    place = tmp_path / "build"
    with monkeypatch.context() as before:
        before.setattr("edge.targets.tensorrt.installed", lambda target: False)
        write(plan("tensorrt-rtx", "int8", (86,)), place, time.monotonic())
    assert not (place / "frame.engine").exists()
    manifest = finish(place, time.monotonic())
    assert manifests.read(place) == manifest
    assert (manifest.engine, manifest.int8_layers) == ("frame.engine", 13)
    with pytest.raises(UsageError, match="is complete"):
        finish(place, time.monotonic())


def test_a_graph_that_tensorrt_would_refuse_is_not_built(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    from dataclasses import replace

    wrong = replace(plan("tensorrt-rtx", "fp32"), frame=plan("onnxruntime", "int8").frame)
    with pytest.raises(EdgeError, match=r"tensorrt-rtx would refuse frame\.onnx: .*uint8"):
        write(wrong, tmp_path / "a", time.monotonic())
    assert leftovers(tmp_path) == []
