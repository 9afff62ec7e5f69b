"""The build that a command makes for itself where none was given."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest

from edge import manifest as manifests
from edge.builder.plan import fingerprint
from edge.calibrate import pipeline
from edge.calibrate.pipeline import BuildRequest
from edge.cli import build as command
from edge.errors import BuildMismatch
from edge.files import locked
from edge.targets import get


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
    newer = onnx.ModelProto.FromString(bundled[0].SerializeToString())
    weights = newer.graph.initializer[0]
    weights.raw_data = weights.raw_data[:-1] + bytes([weights.raw_data[-1] ^ 1])
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
