"""Checkpoints of a run: written whole or not at all, read with weights only.

Wherever one is read, an exported ONNX file or a bundled network serves as well.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge.bundled import bundled
from edge.bundled import names as bundled_names
from edge.errors import EdgeError
from edge.files import atomic_write
from edge.samples.archive import UNREADABLE
from edge.train.exported import load_exported
from edge.train.networks import with_weights
from edge.train.networks.variant import Variant

KINDS: dict[str, type] = {
    "network": str, "weights": dict, "variant": dict, "recipe": dict, "scores": dict, "step": int,
    "precision": dict, "learners": list,
}  # fmt: skip
"""Types of what a checkpoint may hold."""


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


def locate(path: Path) -> Path:
    """The file that a name means: `small` is the bundled network unless a file is called that."""
    name = str(path)
    return bundled(name) if name in bundled_names() and not path.is_file() else path


def load(path: Path) -> dict[str, Any]:
    """Read the checkpoint of one network.

    Args:
        path: A checkpoint, an ONNX file of `edge export`, or the name of a bundled network.

    Raises:
        EdgeError: The file is missing, unreadable, of several networks, or no such checkpoint.
    """
    path = locate(path)
    if path.suffix == ".onnx" and path.is_file():
        return load_exported(path)
    state = _read(path)
    if "learners" in state:
        learners = [each for each in state["learners"] if isinstance(each, dict)]
        names = ", ".join(str(learner.get("network")) for learner in learners)
        raise EdgeError(
            f"{path} resumes a run of {names}", f"take {path.parent}/NETWORK/best.pt of one of them"
        )
    if not {"network", "weights"} <= state.keys():
        raise _foreign(path, "a state dictionary without `network` and `weights`")
    try:
        # A checkpoint with both inputs and both outputs need not name them.
        Variant(**state.get("variant", {}))
    except (ValueError, TypeError) as error:
        raise EdgeError(f"{path}: {error}") from error
    return state


def member(folder: Path, name: str) -> Path:
    """The file of one of several networks: NAME.onnx of a folder of exported networks, or
    NAME/best.pt of a run that trained them together."""
    exported = folder / f"{name}.onnx"
    return exported if exported.is_file() else folder / name / "best.pt"


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
            f"no checkpoint {path}",
            "`edge train` writes best.pt into its --out folder; bundled networks are"
            f" {', '.join(bundled_names())}",
        )
    _check_whole(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # torch advises to load the file without weights_only, which runs any code in it. Neither
        # the advice nor its traceback is passed on.
        raise _foreign(path, _content(path)) from None
    if not isinstance(state, dict):
        raise _foreign(path, f"a {type(state).__name__}")
    for key, kind in KINDS.items():
        if not isinstance(state.get(key, kind()), kind):
            found = type(state[key]).__name__
            raise _foreign(path, f"a state dictionary whose `{key}` is a {found}")
    return state


def _check_whole(path: Path) -> None:
    """EdgeError where a checksum of the archive does not match: torch compares none."""
    try:
        if not zipfile.is_zipfile(path):  # no archive has no checksums
            return
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except OSError:  # unreadable, as what follows says
        return
    except UNREADABLE:
        broken = "a header"
    if broken is not None:
        raise EdgeError(
            f"{path} is damaged: the checksum of {broken.rpartition('/')[2]} in it does not match",
            "copy it again from where it was trained",
        )


def _content(path: Path) -> str:
    """What a file is that torch does not load as weights. Nothing in it is run."""
    try:
        head = path.open("rb").read(16)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if not head:
        return "empty"
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except UNREADABLE:
            return "a damaged archive"
        if any("/code/" in name for name in names):
            return "a TorchScript program"
        if any(name.endswith("/data.pkl") for name in names):
            return "a file of torch.save that holds Python objects, such as a whole model"
        return "a zip archive"
    if head.startswith(b"PK"):
        return "a truncated archive"
    if head.startswith(b"\x80"):
        return "a pickle of Python objects"
    return "neither an archive nor a pickle"


def _foreign(path: Path, content: str) -> EdgeError:
    """The error for a file that is no checkpoint of ours."""
    return EdgeError(
        f"{path} is not a checkpoint of `edge train`: it is {content}",
        "export a network of your own to ONNX with the program that trained it, then: edge build"
        " MODEL.onnx",
    )


def network_of(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read the network of a checkpoint with its averaged weights.

    Args:
        path: As of `load`; a last.pt is of a run of one network.

    Returns:
        The network in evaluation mode, and the whole checkpoint. A scene depth that was taken over
        (`edge train --scene`) is frozen.

    Raises:
        EdgeError: As of `load`, or the weights are not of the network.
    """
    state = load(path)
    try:
        variant = Variant(**state.get("variant", {}))
        network = with_weights(state["network"], state["weights"], variant)
    except (ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise EdgeError(f"{path}: {str(error).splitlines()[0]}") from error
    if state.get("scene_kept"):
        network.scene_depth.keep()  # type: ignore[union-attr, operator]
    return network.eval(), state
