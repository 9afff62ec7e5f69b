"""Checks of the driver layer alone: copies, events and graphs, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge.benchmarks.gpu_check.check import Failed, Seen, Skipped
from edge.benchmarks.gpu_check.counted import Counted
from edge.runtime.cuda import Cuda, Pinned

SIZES = (1, 255, 4096, 1_000_003, 16 << 20)
"""Bytes; images are not multiples of anything either."""
QUEUED = 24
"""Copies of the largest size that are under way when an event is waited for."""


@contextmanager
def _stream(cuda: Counted) -> Iterator[Any]:
    """A stream of the GPU, made this thread's; everything that a check made must come back."""
    with cuda.active():
        stream = cuda.stream()
        yield stream
        cuda.synchronize(stream)
        cuda.free_stream(stream)
    cuda.check_empty()


def _filled(cuda: Cuda, size: int, seed: int) -> Pinned:
    memory = cuda.pinned(size)
    memory.array[:] = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    return memory


def _check_same(found: Pinned, expected: Pinned, what: str) -> None:
    wrong = int((found.array != expected.array).sum())
    if wrong:
        raise Failed(f"{what}: {wrong} of {found.array.size} bytes are not those that were sent")


def check_copies(cuda: Counted) -> Seen:
    """Two buffers of each size there and back: no byte differs, and they do not overlap."""
    rates = {}
    with _stream(cuda) as stream:
        marks = [cuda.mark() for _ in range(3)]
        for size in SIZES:
            sent = [_filled(cuda, size, seed) for seed in (1, 2)]
            back = [cuda.pinned(size) for _ in sent]
            addresses = [cuda.device(size) for _ in sent]
            for memory in back:
                memory.array[:] = 0
            cuda.record(marks[0], stream)
            for address, memory in zip(addresses, sent, strict=True):
                cuda.copy_in(address, memory, stream)
            cuda.record(marks[1], stream)
            for address, memory in zip(addresses, back, strict=True):
                cuda.copy_out(memory, address, stream)
            cuda.record(marks[2], stream)
            cuda.synchronize(stream)
            for found, expected in zip(back, sent, strict=True):
                _check_same(found, expected, f"copies of {size} bytes")
            for way, pair in (("in", marks[:2]), ("out", marks[1:])):
                ms = cuda.elapsed(*pair)
                rates[f"{way}_gb_s"] = round(2 * size / 1e6 / ms, 2) if ms > 0 else None
            for address in addresses:
                cuda.free_device(address)
        for mark in marks:
            cuda.free_event(mark)
    return Seen(
        f"{len(SIZES)} sizes up to {SIZES[-1] >> 20} MiB, {rates['in_gb_s']} GB/s in,"
        f" {rates['out_gb_s']} GB/s out",
        rates,
    )


def check_events(cuda: Counted) -> Seen:
    """Waiting for an event is enough to read what was copied before it was recorded."""
    with _stream(cuda) as stream:
        sent, back = _filled(cuda, SIZES[-1], 3), cuda.pinned(SIZES[-1])
        back.array[:] = 0
        address, event = cuda.device(SIZES[-1]), cuda.event()
        begin, end = cuda.mark(), cuda.mark()
        cuda.record(begin, stream)
        for _ in range(QUEUED):
            cuda.copy_in(address, sent, stream)
        cuda.copy_out(back, address, stream)
        cuda.record(end, stream)
        cuda.record(event, stream)
        cuda.wait(event)
        _check_same(back, sent, "after waiting for an event")
        ms = cuda.elapsed(begin, end)
        for each in (event, begin, end):
            cuda.free_event(each)
        cuda.free_device(address)
    if not ms > 0:
        raise Failed(f"{QUEUED + 1} copies took {ms} ms by the GPU's clock, expected more than 0")
    return Seen(f"waited for {QUEUED + 1} copies, {ms:.2f} ms by the GPU's clock", {"ms": ms})


def check_graphs(cuda: Counted) -> Seen:
    """What is captured does not run; each launch runs it once on what the buffers hold then."""
    if not cuda.graphs:
        raise Skipped("this library captures no graphs")
    size = SIZES[-2]
    with _stream(cuda) as stream:
        sent, back, address = _filled(cuda, size, 4), cuda.pinned(size), cuda.device(size)
        back.array[:] = 0
        cuda.begin(stream)
        cuda.copy_in(address, sent, stream)
        cuda.copy_out(back, address, stream)
        graph = cuda.end(stream)
        cuda.synchronize(stream)
        if back.array.any():
            raise Failed("work ran while it was captured")
        for _ in range(3):
            sent.array[:] += 1
            cuda.launch(graph, stream)
            cuda.synchronize(stream)
            _check_same(back, sent, "a launched graph")
        cuda.free_graph(graph)
        cuda.free_device(address)
    return Seen("captured once, launched three times")
