"""The build that a command makes for itself where none was given."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest

from edge import manifest as manifests
from edge.builder.write import Plan, fingerprint, planned
from edge.cli import build as command
from edge.files import locked


@pytest.fixture
def made(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[onnx.ModelProto]:
    """What the command is given as the bundled network: the last of these."""
    first = plan("onnxruntime", "fp32")
    networks = [first.source]

    def make(*arguments: object) -> Plan:
        return planned(networks[-1], "small", first.target, "fp32", "edge build")

    monkeypatch.setattr(command, "model_of", lambda *arguments: (networks[-1], "small"))
    monkeypatch.setattr(command, "make", make)
    monkeypatch.chdir(tmp_path)
    return networks


def test_it_is_made_once(made: list[onnx.ModelProto]) -> None:
    place = command.default_build()
    before = manifests.read(place).created, place.stat().st_ino
    assert command.default_build() == place
    assert (manifests.read(place).created, place.stat().st_ino) == before


def test_it_is_made_anew_for_another_bundled_network(made: list[onnx.ModelProto]) -> None:
    place = command.default_build()
    newer = onnx.ModelProto.FromString(made[0].SerializeToString())
    weights = newer.graph.initializer[0]
    weights.raw_data = weights.raw_data[:-1] + bytes([weights.raw_data[-1] ^ 1])
    made.append(newer)
    assert command.default_build() == place
    assert manifests.read(place).model["sha256"] == fingerprint(newer)


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
