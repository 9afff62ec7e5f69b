from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from edge.train.checkpoint import load, network_of
from edge.train.export import to_onnx
from edge.train.mean import main
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
    assert main([str(former), str(trained), str(tmp_path / "mean.pt")]) == 0
    before, after, found = (
        load(file)["weights"] for file in (former, trained, tmp_path / "mean.pt")
    )
    for name, weight in found.items():
        expected = (before[name].double() + after[name].double()) / 2
        assert torch.allclose(weight.double(), expected, atol=1e-6), name
    assert any(not torch.equal(weight, after[name]) for name, weight in found.items())
    network_of(tmp_path / "mean.pt")  # a checkpoint that can be exported


def test_two_networks_have_no_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [exported(name, 1, tmp_path / f"{name}.onnx") for name in ("nano", "tiny")]
    assert main([str(file) for file in (*files, tmp_path / "mean.pt")]) == 1
    assert "are two networks" in capsys.readouterr().err
    assert not (tmp_path / "mean.pt").exists()
