"""Checkpoints of a run: written whole or not at all, read with weights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge.errors import EdgeError
from edge.files import atomic_write
from edge.train.networks import with_weights
from edge.train.networks.variant import Variant


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint such that a kill at any time leaves the old one or the new one.

    Raises:
        OSError: The disk is full.
    """
    with atomic_write(path) as draft:
        try:
            torch.save(state, draft)
        except RuntimeError as error:  # torch's report of a full disk
            raise OSError(str(error)) from error


def load(path: Path) -> dict[str, Any]:
    """Read the checkpoint of one network.

    Raises:
        EdgeError: The file is missing, unreadable, of several networks, or no such checkpoint.
    """
    state = _read(path)
    if "learners" in state:
        names = ", ".join(learner["network"] for learner in state["learners"])
        raise EdgeError(
            f"{path} resumes a run of {names}", f"take {path.parent}/NETWORK/best.pt of one of them"
        )
    if not {"network", "weights"} <= state.keys():
        raise EdgeError(f"{path} is not a checkpoint of `edge train`")
    return state


def load_run(path: Path) -> dict[str, Any]:
    """Read the last.pt of a run of one or several networks.

    Raises:
        EdgeError: The file is missing, unreadable, or no last.pt.
    """
    state = _read(path)
    if not {"recipe", "step", "precision"} <= state.keys():
        raise EdgeError(f"{path} is not the last.pt of a run of `edge train`")
    return state


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EdgeError(
            f"no checkpoint {path}", "`edge train` writes best.pt into its --out folder"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise EdgeError(f"{path} is not a readable checkpoint: {reason}") from error
    if not isinstance(state, dict):
        raise EdgeError(f"{path} is not a checkpoint of `edge train`")
    return state


def network_of(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read the network of a checkpoint with its averaged weights.

    Args:
        path: A best.pt, or the last.pt of a run of one network.

    Returns:
        The network in evaluation mode, and the whole checkpoint. A scene depth that was taken over
        (`edge train --scene`) is frozen.

    Raises:
        EdgeError: As of `load`, or the weights are not of the network.
    """
    state = load(path)
    try:
        # A checkpoint with both inputs and both outputs need not name them.
        variant = Variant(**state.get("variant", {}))
        network = with_weights(state["network"], state["weights"], variant)
    except (ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise EdgeError(f"{path}: {str(error).splitlines()[0]}") from error
    if state.get("scene_kept"):
        network.scene_depth.keep()  # type: ignore[union-attr, operator]
    return network.eval(), state
