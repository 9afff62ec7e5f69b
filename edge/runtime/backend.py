"""The interface of a backend. One backend is one file of edge/runtime/backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from edge.errors import BuildMismatch
from edge.manifest import Manifest, Tensor
from edge.runtime.instructions import saturates

Plane = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
SLOTS = 2
"""Buffers of each kind: one frame runs while the next is captured."""


@dataclass(frozen=True)
class OpenOptions:
    """How a build is opened.

    threads: of a CPU runtime.
    fold: False runs the background graph at every frame, to measure what folding saves.
    cuda: library that drives a GPU: `cuda-python`, `pycuda` or `auto`.
    """

    threads: int
    fold: bool = True
    cuda: str = "auto"


class Backend(Protocol):
    """A loaded build with fixed buffers, SLOTS of each.

    frames:  uint8 [H, W, 3] per slot, where the next frame is written.
    outputs: per slot, [H, W] by the output's name, of the dtype that the manifest names.
    """

    frames: list[npt.NDArray[np.uint8]]
    outputs: list[dict[str, Plane]]

    def set_background(self, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Run the background graph on the images of a scene, uint8 [H, W, 3], by name, and make its
        results constants. Images that the build does not take are ignored."""

    def scene_tensor(self, name: str) -> npt.NDArray[Any]:
        """A copy of a tensor that the background graph gave for the last background."""

    def run(self, slot: int) -> None:
        """Compute outputs[slot] from frames[slot]; return when they are ready."""

    def start(self, slot: int) -> None:
        """Begin what `run` does and return at once."""

    def finish(self, slot: int) -> None:
        """Wait for the work that `start` began."""

    def close(self) -> None:
        """Release everything. The buffers' memory is not touched afterwards."""


@runtime_checkable
class Staged(Protocol):
    """A backend that copies frames to a device and back, and times each stage."""

    def stages(self, count: int) -> dict[str, list[float]]:
        """Compute frames[0] `count` times; milliseconds of each stage by the device's clock.

        Returns:
            `gpu_compute` and, where the device has memory of its own, `h2d` and `d2h`, the copies
            in and out.
        """


def zeros(tensors: Sequence[Tensor]) -> dict[str, npt.NDArray[Any]]:
    """An array for each tensor, by name."""
    return {tensor.name: np.zeros(tensor.shape, tensor.dtype) for tensor in tensors}


def version(text: str) -> tuple[int, ...]:
    """Major and minor of a version such as 2026.4.1 or 1.22.0+cpu."""
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2] if part.isdigit())


def check_instructions(folder: Path, manifest: Manifest) -> None:
    """BuildMismatch where an int8 build gives wrong masks on this CPU."""
    if manifest.precision == "int8" and manifest.instructions != "any" and saturates():
        raise BuildMismatch(
            f"{folder} is int8 of an earlier version, whose sums are right only on a CPU with dot"
            " products of 8-bit integers (VNNI); this CPU has none, and they would saturate",
            f"make it again: {manifest.command}",
        )


def check_not_older(folder: Path, manifest: Manifest, installed: str) -> None:
    """BuildMismatch where the installed runtime is older than the one that the build was made
    with."""
    module, built = manifest.runtime
    if version(installed) < version(built):
        raise BuildMismatch(
            f"{folder} was built with {module} {built}, found the older {installed}",
            f"install that version or build again: {manifest.command}",
        )
