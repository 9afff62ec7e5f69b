"""`edge` that gets a signal in the middle of a training; as a script it is killed: python
interrupted.py train ..."""

from __future__ import annotations

import signal

from lightning_fabric import Fabric

from edge.cli.app import main
from edge.train.loop import Run


def send_in_fifth_step(sent: int) -> None:
    """Give this process a signal in the fifth step of its next run, whose checkpoint of the fourth
    is there."""
    runs: list[Run] = []
    begin, clip = Run.__init__, Fabric.clip_gradients

    def begun(self: Run, *words: object, **options: object) -> None:
        begin(self, *words, **options)  # type: ignore[arg-type]
        runs.append(self)

    def clipped(self: Fabric, *words: object, **options: object) -> object:
        # After the forward pass, which moved BatchNorm's statistics, and before the weights move.
        if runs[0].step == 4:
            signal.raise_signal(sent)
        return clip(self, *words, **options)  # type: ignore[arg-type]

    Run.__init__, Fabric.clip_gradients = begun, clipped  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    send_in_fifth_step(signal.SIGKILL)
    main()
