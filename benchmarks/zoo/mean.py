"""The mean of a network's weights before and after further training.

It keeps what the network knew and has most of what it learned: WiSE-FT (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch

from edge.bundled import FOLDER, names
from edge.errors import EdgeError
from edge.train.checkpoint import load, save

FORMER = "former"
"""Folder in the zoo's runs: the networks that were bundled when it began."""


def keep_former(runs: Path) -> None:
    """Copy the bundled networks once: those that replace them are made of these as well."""
    folder = runs / FORMER
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        if not (folder / f"{name}.onnx").is_file():
            with tempfile.TemporaryDirectory(dir=folder) as draft:
                copy = shutil.copy(FOLDER / f"{name}.onnx", draft)
                Path(copy).replace(folder / f"{name}.onnx")


def write_mean(former: Path, trained: Path, checkpoint: Path) -> None:
    """Write the mean of two exported networks as a checkpoint.

    Args:
        former: ONNX file of `edge export`, which training went on from.
        trained: The same after it; its recipe and its scores go into the checkpoint.
        checkpoint: What is written.

    Raises:
        EdgeError: They are not one network.
    """
    before, after = load(former), load(trained)
    shapes = [{n: w.shape for n, w in state["weights"].items()} for state in (before, after)]
    if shapes[0] != shapes[1]:
        raise EdgeError(f"{former} and {trained} are two networks, expected one before and after")
    weights = {
        name: torch.lerp(before["weights"][name].float(), weight.float(), 0.5).to(weight.dtype)
        for name, weight in after["weights"].items()
    }
    save(after | {"weights": weights}, checkpoint)
