"""The build that a command makes where none was given, and the builds that it leaves alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
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
from edge.errors import BuildMismatch, UsageError
from edge.files import locked
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
