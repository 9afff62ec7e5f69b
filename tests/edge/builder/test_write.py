"""Build folders: whole or not there at all."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import edge
from edge import manifest as manifests
from edge.builder import write as builds_module
from edge.builder.plan import Plan
from edge.builder.write import finish_build, write_build
from edge.errors import BuildMismatch, EdgeError, UsageError


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_build_is_what_its_manifest_says(plan: Callable[..., Plan], tmp_path: Path) -> None:
    manifest = write_build(plan("openvino", "int8"), tmp_path / "a")
    assert manifests.read(tmp_path / "a") == manifest
    assert leftovers(tmp_path) == ["a"]
    assert set(manifest.files) | {"manifest.json"} == {p.name for p in (tmp_path / "a").iterdir()}
    assert {t.name for t in manifest.outputs} == {"mask", "depth"}
    assert [t.name for t in manifest.inputs] == ["fg_bg"]
    assert manifest.scene
    assert manifest.calibration["count"] == 8
    assert manifest.model["colour_order"] == "BGR"


def test_building_again_replaces(plan: Callable[..., Plan], tmp_path: Path) -> None:
    write_build(plan("onnxruntime", "int8"), tmp_path / "a")
    write_build(plan("onnxruntime", "fp32"), tmp_path / "a")
    assert manifests.read(tmp_path / "a").precision == "fp32"
    assert leftovers(tmp_path) == ["a"]


def test_a_build_of_another_network_is_replaced_where_that_is_asked_for(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    from dataclasses import replace

    mine = plan("onnxruntime", "fp32")
    other = replace(mine, network="other", model={**mine.model, "sha256": "0" * 64})
    write_build(mine, tmp_path / "a")
    with pytest.raises(UsageError, match=r"is a build of the network net .*of the network other"):
        write_build(other, tmp_path / "a")
    write_build(other, tmp_path / "a", replace=True)
    assert manifests.read(tmp_path / "a").network == "other"


def test_two_builds_into_one_folder_at_once(plan: Callable[..., Plan], tmp_path: Path) -> None:
    """The one that is done first stays, and the other says so; one that begins later replaces."""
    began = time.time()
    write_build(plan("onnxruntime", "fp32"), tmp_path / "a")
    kept = manifests.read(tmp_path / "a")
    with pytest.raises(EdgeError, match=r"another process built into .*/a meanwhile"):
        write_build(plan("onnxruntime", "int8"), tmp_path / "a", began=began)
    assert manifests.read(tmp_path / "a") == kept
    assert leftovers(tmp_path) == ["a"]
    write_build(plan("onnxruntime", "int8"), tmp_path / "a")


def test_a_folder_of_something_else_is_not_overwritten(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds thesis\.txt, which belongs to no build"):
        write_build(plan("onnxruntime", "fp32"), tmp_path / "a")
    assert (tmp_path / "a" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    "manifest",
    ['{"name": "a page", "manifest_version": 3}', "[]", "", '{"schema": "edge.build/1"}'],
)
def test_a_manifest_of_something_else_is_not_overwritten(
    manifest: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=r"holds manifest\.json, which belongs to no build"):
        write_build(plan("onnxruntime", "fp32"), tmp_path)
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_what_was_put_beside_a_build_is_not_lost(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a"
    write_build(plan("onnxruntime", "fp32"), place)
    (place / "frame.cache").write_bytes(b"of a GPU")
    (place / "bg.png").write_bytes(b"of a camera")
    with pytest.raises(UsageError, match=r"holds bg\.png"):
        write_build(plan("onnxruntime", "fp32"), place)
    (place / "bg.png").unlink()
    monkeypatch.chdir(place)
    write_build(plan("onnxruntime", "fp16"), Path())
    assert manifests.read(place).precision == "fp16"
    assert not (place / "frame.cache").exists()


def test_two_that_write_one_build_do_not_mix(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process publishes a build while this one is half-way: that stays, and it is said."""
    fp32, fp16 = plan("onnxruntime", "fp32"), plan("onnxruntime", "fp16")
    mine, other = os.getpid(), os.getppid()
    sealed = builds_module._sealed

    def interrupted(folder: Path, manifest: manifests.Manifest, key: None) -> manifests.Manifest:
        monkeypatch.setattr(builds_module, "_sealed", sealed)
        monkeypatch.setattr(os, "getpid", lambda: other)
        write_build(fp16, tmp_path / "a")
        monkeypatch.setattr(os, "getpid", lambda: mine)
        return sealed(folder, manifest, key)

    monkeypatch.setattr(builds_module, "_sealed", interrupted)
    with pytest.raises(EdgeError, match=r"its build is kept, this one is not; run the command"):
        write_build(fp32, tmp_path / "a")
    assert manifests.read(tmp_path / "a").precision == "fp16"
    assert leftovers(tmp_path) == ["a"]


def test_drafts_of_killed_builds_are_removed(plan: Callable[..., Plan], tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    left = tmp_path / f".a.{gone.pid}.part"
    left.mkdir()
    (left / "frame.onnx").write_bytes(b"half")
    working = tmp_path / f".a.{os.getppid()}.part"
    working.mkdir()
    write_build(plan("onnxruntime", "fp32"), tmp_path / "a")
    assert leftovers(tmp_path) == [working.name, "a"]


@pytest.mark.parametrize(
    "stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_build_that_fails_leaves_the_old_one(
    stop: BaseException, plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_build(plan("onnxruntime", "fp32"), tmp_path / "a")
    before = manifests.read(tmp_path / "a")

    def fail(*_: object) -> None:
        raise stop

    monkeypatch.setattr(builds_module, "_sealed", fail)
    with pytest.raises((EdgeError, KeyboardInterrupt)) as caught:
        write_build(plan("onnxruntime", "int8"), tmp_path / "a")
    if isinstance(caught.value, EdgeError):
        assert "No space left on device; nothing was left behind" in str(caught.value)
    assert manifests.read(tmp_path / "a") == before
    assert leftovers(tmp_path) == ["a"]


def test_without_tensorrt_the_graphs_are_written_for_the_device(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    manifest = write_build(plan("tensorrt", "int8"), tmp_path / "jetson")
    assert manifest.engine == ""
    onnx.checker.check_model(onnx.load(tmp_path / "jetson" / "frame.onnx"))
    with pytest.raises(
        BuildMismatch, match=r"`tensorrt` is not installed here; .* edge build .*jetson"
    ):
        finish_build(tmp_path / "jetson")


def test_the_device_finishes_a_prepared_folder(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps as on a Jetson, with TensorRT-RTX's real builder in TensorRT's place."""
    pytest.importorskip("tensorrt_rtx")
    place = tmp_path / "build"
    with monkeypatch.context() as before:
        before.setattr("edge.targets.target.Target.installed", lambda target: False)
        write_build(plan("tensorrt-rtx", "int8", sm=(86,)), place)
    assert not (place / "frame.engine").exists()
    manifest = finish_build(place)
    assert manifests.read(place) == manifest
    assert (manifest.engine, manifest.int8_layers) == ("frame.engine", 13)
    with pytest.raises(UsageError, match="is complete"):
        finish_build(place)


@pytest.mark.parametrize(
    ("target", "precision"), [("openvino", "fp32"), ("openvino", "int8"), ("onnxruntime", "int8")]
)
def test_a_finished_folder_is_the_build_that_is_made_at_once(
    target: str, precision: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    write_build(plan(target, precision), tmp_path / "later", graphs_only=True)
    finished = finish_build(tmp_path / "later")
    at_once = write_build(plan(target, precision), tmp_path / "at_once")
    own = {"created", "build_s", "files", "size_mb"}  # the files of OpenVINO differ in bytes
    kept = [{k: v for k, v in vars(m).items() if k not in own} for m in (finished, at_once)]
    assert kept[0] == kept[1]
    with edge.open(tmp_path / "later") as h:
        edge.set_background(h, np.zeros((h.height, h.width, 3), np.uint8))
        edge.infer(h, np.zeros((h.height, h.width, 3), np.uint8))


def test_a_graph_that_tensorrt_would_refuse_is_not_built(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    from dataclasses import replace

    wrong = replace(plan("tensorrt-rtx", "fp32"), frame=plan("onnxruntime", "int8").frame)
    with pytest.raises(EdgeError, match=r"tensorrt-rtx would refuse frame\.onnx: .*uint8"):
        write_build(wrong, tmp_path / "a")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(("target", "cpu"), [("onnxruntime", True), ("tensorrt", False)])
def test_a_cpu_gets_its_sigmoid_before_the_upsampling_and_int8_for_any_instructions(
    target: str, cpu: bool, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    given = plan(target, "int8")
    manifest = write_build(given, tmp_path / "a", graphs_only=True)
    written = onnx.load(tmp_path / "a" / "frame.onnx")

    def last(model: onnx.ModelProto) -> str:
        return next(n.op_type for n in model.graph.node if "mask" in n.output)

    assert last(given.frame) == "Sigmoid"
    assert (last(written) != "Sigmoid") == cpu
    assert manifest.instructions == ("any" if cpu else "")
    assert {t.name for t in manifest.background_inputs} <= {"bg", "spread"}
    assert manifest.background_inputs
    assert manifest.runtime[0] == given.target.modules[0]
    assert not manifest.bundled


def test_floats_run_on_any_instructions_anyway(plan: Callable[..., Plan], tmp_path: Path) -> None:
    manifest = write_build(plan("onnxruntime", "fp32"), tmp_path / "a", graphs_only=True)
    assert manifest.instructions == ""


def test_the_time_of_finishing_and_the_size_are_of_what_was_built(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_build(plan("onnxruntime", "fp32"), tmp_path / "a", graphs_only=True)
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(builds_module.time, "monotonic", lambda: next(clock, 12.5))
    manifest = finish_build(tmp_path / "a")
    assert manifest.build_s == 2.5
    assert manifest.size_mb == round((tmp_path / "a" / "frame.onnx").stat().st_size / 1e6, 3)
