"""The share of the machine that this process takes."""

from __future__ import annotations

import time

from edge.runtime.cores import usable_cores

EVERY_S = 2.0
"""Seconds over which it is measured."""


class Machine:
    """Measures the processor time of this process, all its threads together."""

    def __init__(self) -> None:
        self._at, self._spent = time.monotonic(), time.process_time()
        self._share: float | None = None

    @property
    def share(self) -> float | None:
        """Of the cores that this process may use, 0 to 1; None in the first seconds."""
        now, spent = time.monotonic(), time.process_time()
        if now - self._at >= EVERY_S:
            self._share = (spent - self._spent) / (now - self._at) / usable_cores()
            self._at, self._spent = now, spent
        return self._share
