"""How many threads make a build fastest: as many as there are cores is not always the best."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.process import Progress, process
from edge.benchmarks.measuring.rounds import Effort, Timed, interleaved_rounds
from edge.benchmarks.measuring.stats import summary
from edge.runtime.cores import usable_cores

GAIN = 0.02
"""A thread more must save at least this share of the time: it is a core less for other work."""


def counts(cores: int) -> list[int]:
    """1, 2, 4 and so on, and all cores."""
    return sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})


def fewest(p50_ms: dict[int, float]) -> int:
    """The fewest threads that are as fast as the best within GAIN. p50_ms: by threads."""
    best = min(p50_ms.values())
    return min(count for count, p50 in p50_ms.items() if p50 <= best * (1 + GAIN))


def time_threads(job: BuildJob, iterations: int, progress: Progress) -> dict[int, float]:
    """Median milliseconds of a frame by number of threads, in interleaved rounds."""
    with ExitStack() as stack:
        timed = {
            count: Timed(stack.enter_context(process(replace(job, threads=count))))
            for count in counts(usable_cores())
        }
        interleaved_rounds(
            list(timed.values()),
            Effort(0.1, 0.5, iterations),
            lambda stage, done, total: progress("threads", done, total),
        )
        medians = {count: summary(entry.times.latency).p50 for count, entry in timed.items()}
        return {count: p50 for count, p50 in medians.items() if p50 is not None}
