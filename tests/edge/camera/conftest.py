"""What the tests of cameras share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """Where root encodes AV1, SVT-AV1 gives the process real-time priority (SCHED_FIFO, 99), which
    everything that later tests start would inherit: on two cores they starve each other."""
    policy, given = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, given)
