from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from edge.benchmarks.zoo import mean
from edge.benchmarks.zoo.mean import FORMER, keep_former, write_mean
from edge.bundled import bundled, names
from edge.errors import EdgeError
from edge.train.checkpoint import load, network_of
from edge.train.export import to_onnx
from edge.train.networks import create


def exported(name: str, seed: int, file: Path) -> Path:
    """An untrained network at 64x64, as `edge export` writes one."""
    torch.manual_seed(seed)
    model = to_onnx(create(name), name, 64, 64)
    training = onnx.StringStringEntryProto(key="training", value="{}")
    if not any(entry.key == "training" for entry in model.metadata_props):
        model.metadata_props.append(training)
    onnx.save(model, file)
    return file


def test_the_mean_is_half_of_each(tmp_path: Path) -> None:
    former = exported("nano", 1, tmp_path / "a.onnx")
    trained = exported("nano", 2, tmp_path / "b.onnx")
    write_mean(former, trained, tmp_path / "mean.pt")
    before, after, found = (
        load(file)["weights"] for file in (former, trained, tmp_path / "mean.pt")
    )
    for name, weight in found.items():
        expected = (before[name].double() + after[name].double()) / 2
        assert torch.allclose(weight.double(), expected, atol=1e-6), name
    assert any(not torch.equal(weight, after[name]) for name, weight in found.items())
    network_of(tmp_path / "mean.pt")  # a checkpoint that can be exported


def test_two_networks_have_no_mean(tmp_path: Path) -> None:
    files = [exported(name, 1, tmp_path / f"{name}.onnx") for name in ("nano", "tiny")]
    with pytest.raises(EdgeError, match="are two networks"):
        write_mean(files[0], files[1], tmp_path / "mean.pt")
    assert not (tmp_path / "mean.pt").exists()


def test_the_bundled_networks_are_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_former(tmp_path)
    kept = {name: (tmp_path / FORMER / f"{name}.onnx").read_bytes() for name in names()}
    assert kept == {name: bundled(name).read_bytes() for name in names()}
    # A run that goes on after it has replaced them keeps those from before.
    other = tmp_path / "other"
    other.mkdir()
    for name in names():
        (other / f"{name}.onnx").write_bytes(b"new")
    monkeypatch.setattr(mean, "FOLDER", other)
    keep_former(tmp_path)
    assert kept == {name: (tmp_path / FORMER / f"{name}.onnx").read_bytes() for name in names()}
