"""What Python's queues between processes need of the machine."""

from __future__ import annotations

import multiprocessing

from edge.errors import EdgeError


def check_semaphores(without: str = "") -> None:
    """Check that processes can be started that share a queue.

    Args:
        without: How to do without them.

    Raises:
        EdgeError: There is no /dev/shm, or it cannot be written.
    """
    try:
        multiprocessing.Lock()
    except OSError as error:
        mend = "mount it: mount -t tmpfs tmpfs /dev/shm"
        raise EdgeError(
            f"processes beside this one need /dev/shm, which cannot be used: {error.strerror}",
            f"{mend}, or {without}" if without else mend,
        ) from error
