"""The build that a command makes where none was given, and the builds that it leaves alone."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from edge import manifest as manifests
from edge.builder.plan import fingerprint
from edge.bundled import bundled as bundled_file
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.cli import build as command
from edge.cli.app import app
from edge.errors import AccuracyGateMissed, BuildMismatch, UsageError
from edge.files import locked
from edge.runtime import instructions
from edge.samples.sample import Sample
from edge.targets import get

RESOLVE = pipeline.resolve


@pytest.fixture
def bundled(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[onnx.ModelProto]:
    """The network that the command takes for the bundled one: the last of these."""
    networks = [network]
    request = BuildRequest(target="onnxruntime", precision="fp32")
    monkeypatch.setattr(pipeline, "load_network", lambda request: (networks[-1], "small"))
    monkeypatch.setattr(pipeline, "resolve", lambda _: (request, get("onnxruntime")))
    monkeypatch.chdir(tmp_path)
    return networks


def test_it_is_made_once(bundled: list[onnx.ModelProto]) -> None:
    place = command.default_build()
    before = manifests.read(place).created, place.stat().st_ino
    assert command.default_build() == place
    assert (manifests.read(place).created, place.stat().st_ino) == before


def test_it_is_made_anew_for_another_bundled_network(bundled: list[onnx.ModelProto]) -> None:
    place = command.default_build()
    newer = of_your_own(bundled[0])
    bundled.append(newer)
    assert command.default_build() == place
    assert manifests.read(place).model["sha256"] == fingerprint(newer)


def test_a_build_of_an_older_schema_is_made_anew(bundled: list[onnx.ModelProto]) -> None:
    place = command.default_build()
    file = place / "manifest.json"
    file.write_text(file.read_text().replace(manifests.SCHEMA, "edge.build/1"))
    with pytest.raises(BuildMismatch, match=r"schema 'edge.build/1', expected .*edge build"):
        manifests.read(place)
    assert command.default_build() == place
    assert manifests.read(place).schema == manifests.SCHEMA


def test_a_build_that_is_wrong_on_this_cpu_is_made_anew(
    bundled: list[onnx.ModelProto], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one copied from another machine is."""
    request = BuildRequest(target="onnxruntime", samples="rendered:1", calib_samples=1)
    monkeypatch.setattr(pipeline, "resolve", lambda _: (request, get("onnxruntime")))
    place = command.default_build()
    file = place / "manifest.json"
    file.write_text(file.read_text().replace('"instructions": "any"', '"instructions": ""'))
    monkeypatch.setattr(instructions, "saturates", lambda: True)
    monkeypatch.setattr("edge.runtime.backend.saturates", lambda: True)
    assert command.default_build() == place
    assert manifests.read(place).instructions == "any"


@pytest.mark.parametrize(
    ("layers", "int8", "kept", "sm", "said"),
    [
        (13, 13, [], (), ""),
        (13, 1, [], (), ""),
        (None, None, [], (), ""),
        (2, 0, ["a", "b"], (), ""),
        (13, 0, [], (), r"none of its 13 layers is.*; build --precision fp16$"),
        (13, 0, [], (75,), r"has no int8 for Turing \(75\).*; build --precision fp16$"),
        (13, 0, [], (75, 86), r"leave 75 out: --sm 86$"),
    ],
)
def test_int8_that_is_none_is_no_success(
    layers: int | None, int8: int | None, kept: list[str], sm: tuple[int, ...], said: str,
    builds,
) -> None:  # fmt: skip
    manifest = manifests.read(builds("onnxruntime", "int8"))
    manifest = replace(
        manifest, layers=layers, int8_layers=int8, sm=sm, calibration={"kept_in_float": kept}
    )
    if not said:
        command._check_int8(manifest, Path("b"))
        return
    with pytest.raises(AccuracyGateMissed, match=said):
        command._check_int8(manifest, Path("b"))


@pytest.mark.slow
def test_turing_has_no_int8_in_tensorrt_rtx(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real builder; the build is there, and exit code 3 says what it is not."""
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "n.onnx")
    words = ["build", "n.onnx", "--target=tensorrt-rtx", "--sm=75", "--calib-samples=1"]
    result = CliRunner().invoke(app, [*words, "--samples=rendered:1"])
    assert isinstance(result.exception, AccuracyGateMissed)
    assert result.exception.exit_code == 3
    manifest = manifests.read(Path(result.stdout.strip()))
    assert (manifest.layers, manifest.int8_layers) == (13, 0)


def of_your_own(network: onnx.ModelProto) -> onnx.ModelProto:
    """The network with one bit of a weight changed."""
    own = onnx.ModelProto.FromString(network.SerializeToString())
    weights = own.graph.initializer[0]
    weights.raw_data = weights.raw_data[:-1] + bytes([weights.raw_data[-1] ^ 1])
    return own


def run_edge(*words: str) -> str:
    """The last line of an `edge build` for ONNX Runtime in float."""
    result = CliRunner().invoke(app, ["build", *words, "--precision=fp32", "--target=onnxruntime"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout.strip()


def test_a_file_named_as_a_bundled_network_has_a_folder_of_its_own(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = of_your_own(network)
    onnx.save(own, "small.onnx")
    onnx.save(own, "mine.onnx")
    place = Path(run_edge("small.onnx"))
    manifest = manifests.read(place)
    assert place == Path("build") / f"small-{fingerprint(own)[:6]}-fp32-onnxruntime-64x64"
    assert (manifest.network, manifest.bundled) == (f"small-{fingerprint(own)[:6]}", False)
    # Networks of other names, and the bundled file itself, keep their names.
    assert run_edge("mine.onnx") == "build/mine-fp32-onnxruntime-64x64"
    assert run_edge(str(bundled_file("small"))) == "build/small-fp32-onnxruntime"
    assert manifests.read(Path("build/small-fp32-onnxruntime")).bundled
    assert run_edge("--network=small") == "build/small-fp32-onnxruntime"


def test_a_build_of_another_network_is_replaced_only_where_told(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "mine.onnx")
    place = Path(run_edge("mine.onnx"))
    assert Path(run_edge("mine.onnx")) == place  # the same network
    newer = of_your_own(network)
    onnx.save(newer, "mine.onnx")
    with pytest.raises(UsageError, match=r"is a build of the network mine .*--replace replaces it"):
        run_edge("mine.onnx")
    assert manifests.read(place).model["sha256"] == fingerprint(network)
    assert Path(run_edge("mine.onnx", "--replace")) == place
    assert manifests.read(place).model["sha256"] == fingerprint(newer)
    onnx.save(network, "mine.onnx")
    run_edge("mine.onnx", "--out", str(place))
    assert manifests.read(place).model["sha256"] == fingerprint(network)
    with pytest.raises(UsageError, match=r"--replace has no effect beside --out"):
        run_edge("mine.onnx", "--replace", "--out", str(place))


def test_a_format_is_written_beside_its_build(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "mine.onnx")
    assert run_edge("mine.onnx", "--format=triton", "--out=models") == "models"
    name = "mine-fp32-onnxruntime-64x64"
    assert manifests.read(Path("build") / name).engine
    made = {str(file.relative_to("models")) for file in Path("models").rglob("*") if file.is_file()}
    folders = (name, f"{name}-background")
    assert made == {f"{n}/{file}" for n in folders for file in ("config.pbtxt", "1/model.onnx")}
    # Of a build that is there already, byte for byte the same.
    words = ["build", f"build/{name}", "--format", "triton"]
    result = CliRunner().invoke(app, words)
    assert result.stdout.strip() == f"build/{name}-triton"
    again = Path(f"build/{name}-triton")
    assert all((again / file).read_bytes() == (Path("models") / file).read_bytes() for file in made)
    report = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert (report["path"], report["format_path"]) == (f"build/{name}", str(again))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format=tritn"], "unknown format 'tritn'; known: deepstream, triton"),
        (["--format=triton", "--target=openvino"], "takes builds for tensorrt and onnxruntime"),
        (["--format=deepstream", "--target=tensorrt-rtx"], "takes builds for tensorrt, not for"),
        (["--format=triton", "--graphs-only"], "--graphs-only has no effect beside --format"),
        (["--format=triton", "--out=docs"], "docs holds files and no model of a repository"),
        (
            ["--format=deepstream", "--target=tensorrt", "--out=docs"],
            "docs was not written by --format and would be removed",
        ),
    ],
)
def test_a_format_that_cannot_be_is_refused_before_anything_is_built(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/index.md").touch()
    result = CliRunner().invoke(app, ["build", "--precision=fp32", *words])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
    assert [str(path) for path in Path().rglob("*")] == ["docs", "docs/index.md"]


def test_deepstream_without_tensorrt_says_where_it_is_finished(
    network: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "mine.onnx")
    if get("tensorrt").installed():
        pytest.skip("this machine has TensorRT")
    words = ["build", "mine.onnx", "--precision=fp32", "--format=deepstream", "--out=the door"]
    result = CliRunner().invoke(app, words)
    assert "tensorrt is not installed here: its graphs are prepared" in result.stderr
    error = result.exception
    assert isinstance(error, BuildMismatch)
    place = "build/mine-fp32-tensorrt-64x64"
    assert error.hint.endswith(f"run: edge build {place} --format deepstream --out 'the door'")
    assert (Path(place) / "frame.onnx").is_file()


@pytest.mark.parametrize("older", [False, True], ids=["today's", "of an older schema"])
def test_a_build_of_your_own_in_the_bundled_networks_folder_stays(
    older: bool, bundled: list[onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `edge build small.onnx` once wrote it, or --out put it."""
    place = command.default_build()
    own = of_your_own(bundled[0])
    request = BuildRequest(target="onnxruntime", precision="fp32", network="own")
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "resolve", RESOLVE)
        pipeline.build(request, place, network=own, replace=True)
    file = place / "manifest.json"
    if older:
        text = file.read_text().replace(manifests.SCHEMA, "edge.build/1")
        file.write_text(text.replace('  "bundled": false,\n', ""))
    before = file.read_text()
    with pytest.raises(UsageError, match=r"holds a build of the network own .*--build FOLDER"):
        command.default_build()
    assert file.read_text() == before


def test_two_are_never_inside_at_once(tmp_path: Path) -> None:
    """A lock of the file as each opened it: it holds between threads as between processes."""
    log: list[str] = []

    def inside(_: int) -> None:
        with locked(tmp_path):
            log.append("in")
            time.sleep(0.1)
            log.append("out")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(inside, range(3)))
    assert log == ["in", "out"] * 3
