"""A clock for what measures times: it goes on when it is read and when somebody sleeps, no more."""

from __future__ import annotations


class Clock:
    """In the place of the module `time`.

    Args:
        step: seconds by which it goes on each time that it is read.

    Attributes:
        now: what it says.
    """

    def __init__(self, step: float = 1e-3) -> None:
        self.now, self._step = 1e6, step

    def time(self) -> float:
        self.now += self._step
        return self.now

    perf_counter = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds
