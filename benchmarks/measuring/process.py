"""Jobs in processes of their own, which take turns so that what is compared is measured alike."""

from __future__ import annotations

import math
import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from edge.benchmarks.measuring.stats import ENOUGH, summary
from edge.benchmarks.measuring.worker import Job, serve
from edge.errors import EdgeError

ROUNDS = 10
"""How often everything gets its turn."""
Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


class Measured:
    """One job in its process."""

    def __init__(self, link: Connection, job: Job, pid: int) -> None:
        self.link, self.job, self.pid = link, job, pid
        self.described: dict[str, Any] = self.receive()
        self.scores: dict[str, dict[str, float]] = {}
        self.gated: dict[str, Any] = {}
        self.cameras: dict[str, Any] = {}
        self.overhead: dict[str, float] = {}
        self.stages: dict[str, list[float]] = {}
        self.energy: dict[str, dict[str, float]] = {}
        self.cold: dict[str, float] = {}
        self.paced: dict[str, Any] = {}
        self.times: dict[str, list[float]] = {"preprocess": [], "latency": []}
        self.rss_peak_mb = 0.0

    def receive(self) -> Any:
        try:
            answer = self.link.recv()
        except EOFError as error:
            raise EdgeError(f"the process that measured {self.job} ended early") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, name: str, *arguments: object) -> Any:
        self.link.send((name, arguments))
        return self.receive()

    def end(self) -> None:
        self.link.send(None)
        self.rss_peak_mb = round(self.receive(), 1)

    def speed(self) -> dict[str, Any]:
        """The keys of the report that every measured thing has."""
        total = [
            a + b for a, b in zip(self.times["preprocess"], self.times["latency"], strict=True)
        ]
        return {
            **{f"{stage}_ms": summary(times) for stage, times in self.times.items()},
            "end_to_end_ms": summary(total),
            "throughput_fps": round(1e3 * len(total) / sum(total), 1),
            "rss_peak_mb": self.rss_peak_mb,
        }


@contextmanager
def process(job: Job) -> Iterator[Measured]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, job), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Measured(ours, job, process.pid or 0)
    finally:
        ours.close()
        process.kill()
        process.join()


def take_turns(
    workers: Sequence[Measured],
    warmup: float,
    duration: float,
    iterations: int,
    watch: Watch,
    seed: int = 0,
) -> int:
    """Interleaved rounds, each worker once per round in random order; returns how many.

    warmup, duration: seconds of untimed and of timed work for each; iterations: least timed frames.
    """
    order = random.Random(seed)
    block: dict[int, int] = {}
    for index, measured in enumerate(workers):
        worked, warm = 0.0, 0
        while worked < warmup or warm < 4:
            times = measured.ask("frames", 4)
            warm += len(times["latency"])
            worked += sum(map(sum, times.values())) / 1e3
        frames = max(duration * warm / worked, iterations)
        if measured.job.brief:
            frames = min(frames, ENOUGH["p90"])
        block[index] = math.ceil(frames / ROUNDS)
    for number in range(ROUNDS):
        turn = list(range(len(workers)))
        order.shuffle(turn)
        for index in turn:
            times = workers[index].ask("frames", block[index])
            for name, values in times.items():
                workers[index].times.setdefault(name, []).extend(values)
        watch("speed", number + 1, ROUNDS)
    return ROUNDS
