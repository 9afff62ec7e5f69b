"""The clock of live frames."""

from __future__ import annotations

import time

_BEGAN = time.time() - time.monotonic()


def steady() -> float:
    """Unix time in seconds, as the clock was when the program began, plus what passed since.

    It never jumps: who stays for a minute stays for a minute, whatever the clock of the machine is
    set to meanwhile. What is told to people, hours and signatures take `time.time()`.
    """
    return _BEGAN + time.monotonic()
