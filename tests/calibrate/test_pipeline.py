"""One request, one pipeline: what it checks, prints, reads and hands on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.main import get_command

import edge
from edge import targets
from edge.calibrate import methods, pipeline
from edge.calibrate.evaluator import exact
from edge.calibrate.methods import Histogram, Method, Range
from edge.calibrate.observe import Observer
from edge.calibrate.pipeline import BuildRequest, build, plan, resolve
from edge.cli.app import app
from edge.errors import EdgeError, UsageError
from edge.graph.fold import split
from edge.samples.sample import Sample
from edge.targets.onnxruntime import OnnxRuntimeTarget
from tests.edge.graph.exporters import small_network

FULL = BuildRequest(
    model="a b.onnx",
    target="openvino",
    imgsz=(192, 320),
    samples="my frames",
    calib_method="mse",
    calib_samples=7,
    ranges=Path("r.json"),
    keep=("one", "two"),
    upsample="depth_to_space",
    uint8_outputs=True,
)


@pytest.mark.parametrize(
    "request_",
    [
        BuildRequest(),
        FULL,
        replace(FULL, keep=(), max_drop=0.01),
        BuildRequest(network="nano", target="tensorrt-rtx", precision="fp16", sm=(86, 89)),
    ],
)
def test_the_command_makes_the_same_request(
    request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed command, read by the real command line, ends in an equal request."""
    requests: list[BuildRequest] = []

    class Stop(Exception):
        pass

    def stop(request: BuildRequest) -> None:
        requests.append(request)
        raise Stop

    monkeypatch.setattr("edge.cli.build.network_of", stop)
    words = shlex.split(request_.command())
    assert words[:2] == ["edge", "build"]
    with pytest.raises(Stop):
        get_command(app).main(words[1:], standalone_mode=False)
    assert requests == [request_]


WRONG = {
    "precision": (BuildRequest(precision="int4"), "unknown precision 'int4'"),
    "method": (
        BuildRequest(calib_method="magic"),
        "unknown --calib-method 'magic'",
    ),
    "upsample": (BuildRequest(upsample="resize"), "known are convtranspose, depth_to_space"),
    "max_drop on fp32": (BuildRequest(precision="fp32", max_drop=0.1), "--max-drop has no effect"),
    "keep on fp16": (BuildRequest(precision="fp16", keep=("x",)), "--keep has no effect on fp16"),
    "sm on a CPU": (BuildRequest(sm=(86,)), "--sm has no effect: openvino builds for the machine"),
    "sm": (BuildRequest(target="tensorrt-rtx", sm=(87,)), "--sm 87: tensorrt-rtx cannot build"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_get_one_sentence(case: str) -> None:
    request, sentence = WRONG[case]
    target = "openvino" if request.target == "auto" else request.target
    with pytest.raises(UsageError, match=sentence):
        resolve(replace(request, target=target))


def test_a_layer_that_is_no_layer_is_refused(
    network: onnx.ModelProto, samples: list[Sample]
) -> None:
    with pytest.raises(UsageError, match="--keep nothing: no such layer; there are"):
        plan(BuildRequest(target="openvino", keep=("nothing",)), network=network, samples=samples)


def test_kept_layers_are_in_the_manifest_and_in_float(
    network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    name = next(n.name for n in split(network).frame.graph.node if n.op_type == "Conv")
    request = BuildRequest(network="net", target="openvino", keep=(name,))
    manifest = build(request, tmp_path / "a", network=network, samples=samples)
    assert manifest.calibration["kept_in_float"] == [name]
    assert (manifest.layers, manifest.int8_layers) == (13, 12)


def test_the_background_graph_runs_once_per_scene(
    network: onnx.ModelProto, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight samples of two scenes, each with a copy of its background; and two flat images."""
    runs: list[object] = []
    init = Observer.__init__

    def counted(self: Observer, *args: object, **kwargs: object) -> None:
        init(self, *args, **kwargs)  # type: ignore[arg-type]
        run = self._background.run  # type: ignore[union-attr]
        session = type("Session", (), {"run": lambda _, *a: runs.append(a) or run(*a)})()
        self._background = session

    monkeypatch.setattr(Observer, "__init__", counted)
    copies = [replace(sample, bg=sample.bg.copy()) for sample in samples]
    plan(BuildRequest(network="net", target="openvino"), network=network, samples=copies)
    assert len(runs) == 2 + 2


@pytest.fixture
def dummies() -> Iterator[None]:
    """A target and a calibration method that one file outside the package adds."""

    class Dummy(OnnxRuntimeTarget):
        pass

    def most(histogram: Histogram) -> Range:
        return min(0.9 * histogram.low, 0.0), max(0.9 * histogram.high, 0.0)

    row = targets.get("onnxruntime")
    targets.register(Dummy(**{**row.__dict__, "name": "dummy", "packages": ("nothing",)}))
    methods.register(Method("most", most, needs_bins=False))
    yield
    targets.registry._targets.pop("dummy")
    methods.registry._methods.pop("most")


def test_a_target_and_a_method_from_outside_build_and_run(
    dummies: None, network: onnx.ModelProto, samples: list[Sample], tmp_path: Path
) -> None:
    request = BuildRequest(network="net", target="dummy", calib_method="most")
    manifest = build(request, tmp_path / "a", network=network, samples=samples)
    assert (manifest.target, manifest.calibration["method"]) == ("dummy", "most")
    assert manifest.int8_layers == 9
    with edge.open(tmp_path / "a", 1) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[1].fg_bg)
        assert mask is not None
        assert np.isfinite(mask).all()


def test_samples_are_read_once(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = pipeline.read_labelled
    monkeypatch.setattr(
        pipeline, "read_labelled", lambda s, count: reads.append(count) or read(s, count)
    )
    request = BuildRequest(
        network="net", target="openvino", samples="rendered:3", calib_samples=3, max_drop=1.0
    )
    assert plan(request, network=network).calibration["count"] == 3
    assert reads == [3]


def test_a_checkpoint_names_the_command_that_exports_it(tmp_path: Path) -> None:
    file = tmp_path / "best.pt"
    file.write_bytes(b"")
    with pytest.raises(UsageError, match=f"is a checkpoint; .* edge export {file}"):
        plan(BuildRequest(model=str(file), target="openvino"))


def test_no_file_and_no_network(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"no file none\.onnx; expected an ONNX network"):
        plan(BuildRequest(model="none.onnx", target="openvino"))


def without_listed_initializers(model: onnx.ModelProto, path: Path) -> None:
    model.ir_version = 3
    onnx.save(model, path)


def with_half_of_its_data(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    data = path.with_name("net.data").read_bytes()
    path.with_name("net.data").write_bytes(data[: len(data) // 2])


def without_its_data(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    path.with_name("net.data").unlink()


def with_half_the_size(model: onnx.ModelProto, path: Path) -> None:
    up = next(node for node in model.graph.node if node.op_type == "ConvTranspose")
    up.op_type, up.input[1] = "Conv", "w5.wide"
    del up.attribute[:]
    weight = np.zeros((8, 16, 1, 1), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w5.wide"))
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (with_half_of_its_data, r"is not an ONNX network: External data length"),
        (without_its_data, r"is not an ONNX network: Data of TensorProto .*net\.data"),
        (with_half_the_size, r"breaks the contract of a network: its shapes do not fit together"),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_an_exporter_did_wrong_is_said_in_a_sentence(
    write: Callable[[onnx.ModelProto, Path], None], told: str, precision: str, tmp_path: Path
) -> None:
    write(small_network(), tmp_path / "net.onnx")
    request = BuildRequest(
        model=str(tmp_path / "net.onnx"), target="onnxruntime", precision=precision
    )
    with pytest.raises(EdgeError, match=told):
        plan(request)


def test_initializers_need_not_be_inputs_in_old_files(tmp_path: Path) -> None:
    without_listed_initializers(small_network(9, 3), tmp_path / "net.onnx")
    request = BuildRequest(model=str(tmp_path / "net.onnx"), target="openvino", precision="fp32")
    assert plan(request).imgsz == (64, 64)


def test_an_operator_that_onnx_runtime_lacks_is_named() -> None:
    info = onnx.helper.make_tensor_value_info
    square = onnx.helper.make_node("Det", ["x"], ["y"], "determinant")
    graph = onnx.helper.make_graph([square], "net", [info("x", 6, [2, 2])], [info("y", 6, [])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)])
    with pytest.raises(EdgeError, match=r"ONNX Runtime cannot run the network: .*[dD]et"):
        exact(model)
