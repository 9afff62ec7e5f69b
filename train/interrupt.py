"""Ctrl-C and SIGTERM between two training steps, never inside one.

A step that is interrupted leaves moved weights and an unmoved counter; a checkpoint of that is a
state that no uninterrupted run ever had.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer signals to the end of the block, where the previous handlers get them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    pending: list[int] = []
    previous = {
        number: signal.signal(number, lambda received, _: pending.append(received))
        for number in SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for received in pending:
            signal.raise_signal(received)
