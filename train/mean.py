"""The mean of a network's weights before and after further training: `make zoo` bundles it.

    python -m edge.train.mean FORMER.onnx TRAINED.onnx MEAN.pt

It keeps what the network knew and has most of what it learned: WiSE-FT (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from edge.errors import EdgeError
from edge.train.checkpoint import load, save


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


def main(words: list[str]) -> int:
    """Write the checkpoint; returns the exit code."""
    former, trained, checkpoint = map(Path, words)
    try:
        write_mean(former, trained, checkpoint)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
