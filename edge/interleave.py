"""Interleaved timing: every candidate runs once per round, so that drift of the machine's clock and
load affects all candidates alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def interleave(
    runs: Sequence[Callable[[], T]],
    rounds: int,
    seed: int | None = None,
    on_round: Callable[[int], None] = lambda done: None,
) -> list[list[T]]:
    """Call every run once per round.

    Args:
        runs: The candidates.
        rounds: How often each is called.
        seed: Of the random order within each round; None keeps the given order.
        on_round: Called after each round with the number of rounds done.

    Returns:
        For each run its results, one per round.
    """
    order = random.Random(seed)
    results: list[list[T]] = [[] for _ in runs]
    for done in range(1, rounds + 1):
        indices = list(range(len(runs)))
        if seed is not None:
            order.shuffle(indices)
        for index in indices:
            results[index].append(runs[index]())
        on_round(done)
    return results


def median_ms(
    calls: Sequence[Callable[[], object]], rounds: int = 15, repeat: int = 10
) -> list[float]:
    """Median milliseconds of each call, interleaved; each is called once before, untimed.

    Args:
        calls: What is timed.
        rounds: Interleaved rounds.
        repeat: Calls per round.
    """

    def timed(call: Callable[[], object]) -> list[float]:
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
        return times

    for call in calls:
        call()
    rounds_of = interleave([lambda call=call: timed(call) for call in calls], rounds)  # type: ignore[misc]
    return [median(ms for times in results for ms in times) for results in rounds_of]
