"""A model repository of a build, read by the protobuf of tritonclient and served by a stand-in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import edge
from edge import manifest as manifests
from edge.builder.formats import Format, formats, get, register, triton
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample
from edge.targets.plans import build_plan

pytest.importorskip("tritonclient")
from tests.stand_ins.triton import Triton, read_config

Builds = Callable[[str, str], Path]
CAMERAS = 3


@pytest.fixture(params=["int8", "fp16", "fp32"])
def build(request: pytest.FixtureRequest, builds: Builds) -> Path:
    return builds("onnxruntime", request.param)


def write(build: Path, repository: Path) -> manifests.Manifest:
    manifest = manifests.read(build)
    get("triton").write(build, manifest, repository)
    return manifest


def test_the_configuration_is_triton_s(build: Path, tmp_path: Path) -> None:
    manifest = write(build, tmp_path)
    frame, background = (
        read_config(tmp_path / name) for name in (manifest.name, f"{manifest.name}-background")
    )
    assert (frame.max_batch_size, background.max_batch_size) == (32, 0)
    assert frame.HasField("dynamic_batching")
    assert not background.HasField("dynamic_batching")
    assert [v.name for v in frame.input] == ["fg_bg", *(t.name for t in manifest.scene)]
    assert list(frame.input[0].dims) == [64, 64, 3]
    assert [v.name for v in background.output] == [t.name for t in manifest.scene]
    assert [tuple(v.dims) for v in background.output] == [t.shape for t in manifest.scene]
    # Int8 for a CPU is no int8 on a GPU.
    kinds = [group.kind for group in frame.instance_group]
    assert kinds == ([frame.instance_group[0].KIND_CPU] if manifest.precision == "int8" else [])


def test_cameras_of_one_batch_get_what_each_gets_alone(
    build: Path, tmp_path: Path, samples: list[Sample]
) -> None:
    from tritonclient.grpc import InferenceServerClient, InferInput
    from tritonclient.utils import np_to_triton_dtype

    manifest = write(build, tmp_path)
    chosen = samples[:: len(samples) // CAMERAS][:CAMERAS]
    spread = np.zeros_like(chosen[0].bg)

    def tensor(name: str, value: np.ndarray) -> InferInput:
        made = InferInput(name, value.shape, np_to_triton_dtype(value.dtype))
        return made.set_data_from_numpy(value)

    def camera(sample: Sample) -> list[np.ndarray]:
        with InferenceServerClient(server.address) as client:
            images = {"bg": sample.bg, "spread": spread}
            given = [tensor(t.name, images[t.name][None]) for t in manifest.background_inputs]
            scene = client.infer(f"{manifest.name}-background", given)
            inputs = [tensor("fg_bg", sample.fg_bg[None])]
            inputs += [tensor(t.name, scene.as_numpy(t.name)) for t in manifest.scene]
            result = client.infer(manifest.name, inputs)
            return [result.as_numpy(name)[0, 0] for name in ("mask", "depth")]

    with Triton(tmp_path, gather=CAMERAS) as server, ThreadPoolExecutor(CAMERAS) as pool:
        found = list(pool.map(camera, chosen))
    assert server.models[manifest.name].batches == [CAMERAS]
    with edge.open(build, threads=1) as h:
        for sample, planes in zip(chosen, found, strict=True):
            edge.set_background(h, sample.bg)
            for true, plane in zip(edge.infer(h, sample.fg_bg), planes, strict=True):
                assert true is not None
                assert np.abs(true - plane).max() < 1e-5
    assert np.abs(found[0][0] - found[1][0]).max() > 0.1


def test_other_models_of_a_repository_stay(builds: Builds, tmp_path: Path) -> None:
    other = tmp_path / "yolo" / "config.pbtxt"
    other.parent.mkdir()
    other.write_text('name: "yolo"\n')
    build = builds("onnxruntime", "fp32")
    manifest = write(build, tmp_path)
    write(build, tmp_path)  # its own are replaced
    names = {manifest.name, f"{manifest.name}-background", "yolo"}
    assert {folder.name for folder in tmp_path.iterdir()} == names
    shutil.copy(other, tmp_path / manifest.name / "config.pbtxt")
    with pytest.raises(UsageError, match=r"was not written by --format and would be removed"):
        write(build, tmp_path)
    assert (tmp_path / manifest.name / "1" / "model.onnx").is_file()


def test_a_network_that_mixes_cameras_is_refused(
    builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shapes alone do not show that a node adds the entries of a batch."""

    def mixed(frame: onnx.ModelProto) -> onnx.ModelProto:
        model = opened(frame)
        for node in model.graph.node:
            node.output[:] = ["mask.own" if name == "mask" else name for name in node.output]
            node.input[:] = ["mask.own" if name == "mask" else name for name in node.input]
        over = {"perm": [0, 1, 2, 3]}
        model.graph.node.append(onnx.helper.make_node("Transpose", ["mask.own"], ["m"], **over))
        model.graph.node.append(
            onnx.helper.make_node("LpNormalization", ["m"], ["mask"], axis=0, p=2)
        )
        return model

    opened = triton.with_open_batch
    monkeypatch.setattr(triton, "with_open_batch", mixed)
    with pytest.raises(EdgeError, match=r"do not fit into one batch: mask in a batch differs by"):
        write(builds("onnxruntime", "fp32"), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_tensorrt_rtx_builds_the_frame_graph_of_any_batch(
    builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the calls of TensorRT, whose plans Triton loads and whose builder needs a GPU."""
    pytest.importorskip("tensorrt_rtx")
    given = []

    def plan(graph: Path, module: str, batch: tuple[int, int] | None) -> bytes:
        given.append((module, batch))
        return build_plan(graph, "tensorrt_rtx", (86,), batch=batch)

    monkeypatch.setattr(triton, "build_plan", plan)
    build = builds("tensorrt-rtx", "int8")
    manifest = replace(manifests.read(build), target="tensorrt")
    get("triton").write(build, manifest, tmp_path)
    assert given == [("tensorrt", None), ("tensorrt", (8, 32))]
    for name in (manifest.name, f"{manifest.name}-background"):
        config = read_config(tmp_path / name)
        assert (config.backend, list(config.instance_group)) == ("tensorrt", [])
        assert (tmp_path / name / "1" / "model.plan").stat().st_size > 10_000


def test_a_target_that_triton_does_not_serve_is_refused() -> None:
    with pytest.raises(UsageError, match=r"for tensorrt and onnxruntime, not for openvino"):
        get("triton").target_of("openvino")
    with pytest.raises(UsageError, match=r"unknown format 'x'; known: deepstream, triton"):
        get("x")


def test_a_format_of_a_program_registers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.builder.formats.format._formats", formats())
    mine = register(
        Format("mine", ("openvino",), lambda build, manifest, out: [], lambda out: None)
    )
    assert get("mine") is mine


@pytest.mark.parametrize("what", ["a setting", "a version"])
def test_what_somebody_changed_in_a_model_is_not_lost(
    what: str, builds: Builds, tmp_path: Path
) -> None:
    build = builds("onnxruntime", "fp32")
    model = tmp_path / write(build, tmp_path).name
    if what == "a setting":
        with (model / "config.pbtxt").open("a") as stream:
            stream.write("# max_queue_delay_microseconds\n")
    else:
        (model / "2").mkdir()
        (model / "2" / "model.onnx").touch()
    with pytest.raises(UsageError, match=f"{model.name} was changed after --format wrote it"):
        write(build, tmp_path)


def test_both_models_are_written_or_none(builds: Builds, tmp_path: Path) -> None:
    build = builds("onnxruntime", "fp32")
    name = manifests.read(build).name
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes").touch()
    with pytest.raises(UsageError, match="was not written by --format"):
        write(build, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_repository_is_new_or_empty_or_holds_a_model(tmp_path: Path) -> None:
    triton.check_repository(tmp_path / "new")
    triton.check_repository(tmp_path)
    (tmp_path / "notes").touch()
    with pytest.raises(UsageError, match="holds files and no model of a repository"):
        triton.check_repository(tmp_path)
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo" / "config.pbtxt").touch()
    triton.check_repository(tmp_path)
