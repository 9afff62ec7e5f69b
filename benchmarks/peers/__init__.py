"""Peers: other ways to find foreground, measured in the same rounds as the builds.

One file each, which registers itself; a new peer is a new file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from edge.benchmarks.peers.peer import (
    PeerInfo,
    PeerJob,
    PeerRequest,
    PeerWorker,
    describe,
    registered,
    score,
)

__all__ = [
    "PeerInfo", "PeerJob", "PeerRequest", "PeerWorker", "describe", "peer_jobs", "score",
]  # fmt: skip


def peer_jobs(request: PeerRequest) -> Iterator[PeerJob]:
    """The jobs of every registered peer that `request` asks for."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    for jobs in registered():
        yield from jobs(request)
