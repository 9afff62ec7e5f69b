"""Builds that must be refused, each with one sentence: found, expected, and what mends it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import edge
from edge.errors import BuildMismatch
from edge.manifest import Manifest, read
from edge.runtime import instructions


@pytest.fixture
def build(builds, tmp_path: Path) -> Path:
    place = tmp_path / "build"
    shutil.copytree(builds("onnxruntime", "int8"), place)
    return place


def refused(build: Path, words: str) -> None:
    with pytest.raises(BuildMismatch, match=words) as caught:
        edge.open(build)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["frame.onnx", "background.onnx", "ranges.json", "network.onnx"])
def test_a_flipped_byte(build: Path, name: str) -> None:
    data = bytearray((build / name).read_bytes())
    data[len(data) // 2] ^= 1
    (build / name).write_bytes(bytes(data))
    refused(build, rf"{name} is not the file that was built: found sha256 .*: edge build")


def test_a_truncated_engine(build: Path) -> None:
    (build / "frame.onnx").write_bytes((build / "frame.onnx").read_bytes()[:-100])
    refused(build, "is not the file that was built")


def test_a_missing_file(build: Path) -> None:
    (build / "background.onnx").unlink()
    refused(build, r"background\.onnx is missing; make it again: edge build")


def test_a_folder_that_is_no_build(tmp_path: Path) -> None:
    refused(tmp_path, "is not a build")
    refused(tmp_path / "nowhere", "is not a build")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", '{"schema": "edge.build/2"}', "\xff"])
def test_a_damaged_manifest(build: Path, text: str) -> None:
    (build / "manifest.json").write_text(text)
    refused(build, "is damaged")


def cpu_with(words: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "flags", lambda: words)
    monkeypatch.setattr(instructions.platform, "machine", lambda: "x86_64")


def without_dot_products(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_with({"avx2", "fma"}, monkeypatch)


def of_an_earlier_version(build: Path) -> None:
    file = build / "manifest.json"
    raw = json.loads(file.read_text())
    assert raw.pop("instructions") == "any"
    file.write_text(json.dumps(raw))


def test_an_older_int8_build_on_a_cpu_without_dot_products(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.open(build).__exit__(None, None, None)
    of_an_earlier_version(build)
    cpu_with({"avx2", "avx_vnni"}, monkeypatch)
    edge.open(build).__exit__(None, None, None)
    without_dot_products(monkeypatch)
    refused(build, r"int8 of an earlier version, .* would saturate; make it again: edge build")


def test_todays_builds_open_on_a_cpu_without_dot_products(
    build: Path, builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_dot_products(monkeypatch)
    for place in (build, builds("openvino", "int8"), builds("onnxruntime", "fp32")):
        edge.open(place).__exit__(None, None, None)


def test_a_manifest_of_another_schema(build: Path) -> None:
    (build / "manifest.json").write_text('{"schema": "edge.build/99"}')
    refused(build, "schema 'edge.build/99', expected 'edge.build/2'; build it again .*edge build")


def change(build: Path, **values: object) -> None:
    raw = json.loads((build / "manifest.json").read_text())
    (build / "manifest.json").write_text(json.dumps(raw | values))


def test_a_newer_runtime_than_ours(build: Path) -> None:
    change(build, runtime=["onnxruntime", "99.0.0"])
    refused(build, r"built with onnxruntime 99\.0\.0, found the older")


def test_a_plan_where_no_gpu_is(build: Path, no_gpu: None) -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    change(build, backend="tensorrt", runtime=["tensorrt_rtx", trt.__version__])
    refused(build, "no usable GPU on this machine .*; builds for openvino and onnxruntime need")


def test_a_plan_of_another_version(build: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    change(build, backend="tensorrt", runtime=["tensorrt_rtx", "1.0.0"])
    refused(build, "built with tensorrt_rtx 1.0.0, found .*, and a plan fits one version")


@pytest.mark.parametrize("name", ["os", "../evil", "edge.files", ""])
def test_a_backend_that_is_none_of_ours_is_never_imported(build: Path, name: str) -> None:
    change(build, backend=name)
    refused(build, f"needs the backend '{re.escape(name)}', known are onnxruntime, openvino")


def test_a_build_that_was_not_finished(build: Path) -> None:
    change(build, engine="", runtime=["tensorrt", ""])
    refused(build, "has no engine yet; finish it on a machine with tensorrt: edge build")


def test_a_manifest_comes_back_as_it_was(build: Path) -> None:
    from edge.manifest import parse

    manifest = read(build)
    assert isinstance(manifest, Manifest)
    assert parse(manifest.to_json(), build) == manifest
