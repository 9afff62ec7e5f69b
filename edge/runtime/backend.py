"""What a backend gives to the runtime. One backend is one file."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
SLOTS = 2
"""Frames that can be under way: one runs while the next is captured."""


class Backend(Protocol):
    """A loaded build with fixed buffers, SLOTS of each.

    frames:  uint8 [H, W, 3] per slot, where the next frame is written.
    outputs: per slot, [H, W] by the output's name, of the dtype that the manifest gives it.
    """

    frames: list[npt.NDArray[np.uint8]]
    outputs: list[dict[str, Plane]]

    def set_background(self, bg: npt.NDArray[np.uint8]) -> None:
        """Run the background graph on uint8 [H, W, 3] and make its results constants."""

    def run(self, slot: int) -> None:
        """Compute outputs[slot] from frames[slot]; returns when they are there."""

    def start(self, slot: int) -> None:
        """Begin what `run` does and return at once."""

    def finish(self, slot: int) -> None:
        """Wait for what `start` began."""

    def close(self) -> None:
        """Give everything back. The buffers' memory is not touched afterwards."""


@runtime_checkable
class Staged(Protocol):
    """A backend whose frame goes to a device and back, and that can say how long each takes."""

    def stages(self, count: int) -> dict[str, list[float]]:
        """Compute frames[0] so many times; milliseconds of each stage by the device's own clock:
        `h2d` and `d2h`, the copies in and out, where the device has memory of its own, and
        `gpu_compute`."""
