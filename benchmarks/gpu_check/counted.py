"""A driver that counts what it gave out and what came back."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from edge.benchmarks.gpu_check.check import Failed
from edge.runtime.cuda import Cuda, Pinned


class Counted:
    """An edge.runtime.cuda.Cuda around another.

    made: number of each kind given out so far; live: of those that were not given back. Pinned
    memory comes back with its last view and is not in `live`.
    """

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._lock = threading.Lock()
        self.made: Counter[str] = Counter()
        self.live: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cuda, name)

    def _count(self, kind: str, by: int) -> None:
        with self._lock:
            self.live[kind] += by
            self.made[kind] += max(by, 0)

    def pinned(self, size: int) -> Pinned:
        self.made["pinned"] += 1
        return self._cuda.pinned(size)

    def device(self, size: int) -> int:
        address = self._cuda.device(size)
        self._count("device", 1)
        return address

    def free_device(self, address: int) -> None:
        self._cuda.free_device(address)
        self._count("device", -1)

    def stream(self) -> Any:
        made = self._cuda.stream()
        self._count("stream", 1)
        return made

    def free_stream(self, stream: Any) -> None:
        self._cuda.free_stream(stream)
        self._count("stream", -1)

    def event(self) -> Any:
        made = self._cuda.event()
        self._count("event", 1)
        return made

    def mark(self) -> Any:
        made = self._cuda.mark()
        self._count("event", 1)
        return made

    def free_event(self, event: Any) -> None:
        self._cuda.free_event(event)
        self._count("event", -1)

    def end(self, stream: Any) -> Any:
        graph = self._cuda.end(stream)
        self._count("graph", 1)
        return graph

    def free_graph(self, graph: Any) -> None:
        self._cuda.free_graph(graph)
        self._count("graph", -1)

    def check_empty(self) -> None:
        """Failed where something was not given back."""
        left = {kind: count for kind, count in self.live.items() if count}
        if left:
            counts = ", ".join(f"{count} {kind}" for kind, count in left.items())
            raise Failed(f"not given back: {counts}")
