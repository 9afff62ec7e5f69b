"""How many threads a build is quickest with: as many as there are cores is not always the best."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from edge.benchmarks.measuring.build_worker import BuildJob
from edge.benchmarks.measuring.process import Watch, process, take_turns
from edge.benchmarks.measuring.stats import summary
from edge.runtime.cores import usable_cores

GAIN = 0.02
"""A thread more must win at least this share of the time: it is a core less for other work."""


def counts(cores: int) -> list[int]:
    """1, 2, 4 and so on, and all cores."""
    return sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})


def fewest(tried: dict[int, float]) -> int:
    """The fewest threads that are as quick as the best within GAIN. tried: threads to p50, ms."""
    best = min(tried.values())
    return min(count for count, p50 in tried.items() if p50 <= best * (1 + GAIN))


def tried(job: BuildJob, iterations: int, watch: Watch) -> dict[int, float]:
    """The median milliseconds of a frame with each number of threads, measured in turn."""
    with ExitStack() as stack:
        workers = {
            count: stack.enter_context(process(replace(job, threads=count)))
            for count in counts(usable_cores())
        }
        take_turns(
            list(workers.values()),
            0.1,
            0.5,
            iterations,
            lambda what, done, total: watch("threads", done, total),
        )
        found = {
            count: summary(worker.times["latency"])["p50"] for count, worker in workers.items()
        }
        return {count: p50 for count, p50 in found.items() if isinstance(p50, float)}
