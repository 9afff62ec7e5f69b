"""Workers in processes of their own, called through their parent.

Two runtimes with thread pools in one process slow each other down up to tenfold, so every build and
every peer gets its own process, and one works at a time.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from edge.errors import EdgeError, missing

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and the total."""
W_co = TypeVar("W_co", covariant=True)
W = TypeVar("W")
P = ParamSpec("P")
R = TypeVar("R")


class Job(Protocol[W_co]):
    """What a worker is opened from, in the process that it gets; it must pickle."""

    def open(self) -> W_co: ...


class Process(Generic[W_co]):
    """A worker in its process.

    Attributes:
        pid: Of the process.
        rss_peak_mb: The most memory that it held, known after `end`.
    """

    def __init__(self, link: Connection, job: Job[W_co], pid: int) -> None:
        self._link, self._job, self.pid = link, job, pid
        self.rss_peak_mb = 0.0
        self._receive()

    def call(
        self, function: Callable[Concatenate[W_co, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Return `function(worker, *args, **kwargs)`, computed in the process.

        Args:
            function: A function of a module or an unbound method; it travels by its name.
        """
        self.start(function, *args, **kwargs)
        return cast(R, self._receive())

    def start(
        self, function: Callable[Concatenate[W_co, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> Callable[[], R]:
        """Start a call and return the function that waits for its result."""
        self._link.send((function, args, kwargs))
        return lambda: cast(R, self._receive())

    def end(self) -> None:
        """Let the process finish and learn how much memory it held."""
        self._link.send(None)
        self.rss_peak_mb = round(float(self._receive()), 1)

    def _receive(self) -> Any:
        try:
            answer = self._link.recv()
        except EOFError as error:
            raise EdgeError(f"the process that measured {self._job} ended early") from error
        if isinstance(answer, EdgeError):
            raise answer
        return answer


@contextmanager
def process(job: Job[W]) -> Iterator[Process[W]]:
    """Open a job in a new process, which is killed on leaving."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_serve, args=(theirs, job), daemon=True)
    child.start()
    theirs.close()
    try:
        yield Process(ours, job, child.pid or 0)
    finally:
        ours.close()
        child.kill()
        child.join()


def _serve(link: Connection, job: Job[object]) -> None:
    """Answer calls until None comes; errors for the user travel as answers.

    The last answer, to None, is the most memory that the process held, in MiB.
    """
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):  # the parent is gone
        try:
            worker = job.open()
            link.send(None)
            while (call := link.recv()) is not None:
                function, args, kwargs = call
                link.send(function(worker, *args, **kwargs))
            link.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        except EdgeError as error:
            link.send(error)
        except ModuleNotFoundError as error:
            link.send(missing((error.name or "").partition(".")[0]))
