"""FP32 beside a build, where it cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.benchmarks.measuring import references as module
from edge.benchmarks.measuring.references import display_names, with_references
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


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[Path, Any]:
    """Manifests by path, of builds that are nowhere."""
    found: dict[Path, Any] = {}
    monkeypatch.setattr(module.manifests, "read", found.__getitem__)
    monkeypatch.setattr(module.manifests, "read_finished", found.__getitem__)
    monkeypatch.setattr(module, "reference_build", lambda path, folder: folder / "fp32")
    return found


def described(name: str, precision: str = "int8", target: str = "openvino", network: str = "a"):
    return SimpleNamespace(name=name, precision=precision, target=target, model={"sha256": network})


def test_a_given_fp32_of_the_same_network_and_target_is_taken(stored: dict[Path, Any]) -> None:
    builds = int8, fp32, other, elsewhere = [Path(name) for name in "abcd"]
    stored[int8], stored[fp32] = described("net-int8"), described("net-fp32", "fp32")
    stored[other] = described("net-int8", network="b")
    stored[elsewhere] = described("net-int8-ort", target="onnxruntime")
    made = Path("away") / "fp32"
    assert with_references(builds, Path("away")) == [
        (fp32, fp32), (int8, fp32), (made, made), (other, made), (elsewhere, made),
    ]  # fmt: skip


def test_builds_of_one_name_are_told_apart_by_their_paths(stored: dict[Path, Any]) -> None:
    one, two, made = Path("one"), Path("two"), Path("away") / "fp32"
    stored[one] = stored[two] = described("net-int8")
    stored[made] = described("net-fp32", "fp32")
    pairs = [(made, made), (one, made), (two, made)]
    assert display_names(pairs, [one, two]) == {made: "net-fp32", one: "one", two: "two"}
    again = Path("away") / "again"
    stored[again] = described("net-fp32", "fp32", network="b")
    pairs = [(made, made), (one, made), (again, again), (two, again)]
    assert display_names(pairs, [one, two])[again] == "net-fp32 of two"


def test_fp32_is_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Path] = []

    def make(request: Any, place: Path, network: Any) -> None:
        assert (request.precision, request.target) == ("fp32", "openvino")
        made.append(place)
        place.mkdir(parents=True)

    manifest = SimpleNamespace(target="openvino", network="net", model={"sha256": 64 * "0"})
    monkeypatch.setattr(module.manifests, "read", lambda path: manifest)
    monkeypatch.setattr(module.onnx, "load", lambda path: None)
    monkeypatch.setattr(Target, "installed", lambda target: True)
    monkeypatch.setattr(module, "make_build", make)
    first, second = (module.reference_build(Path(name), tmp_path) for name in "ab")
    assert made == [first] and first == second
