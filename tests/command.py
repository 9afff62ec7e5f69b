"""`edge` without a process of its own: what a user would see, without starting Python and importing
numpy, onnx and torch again."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

from edge.cli.app import main


@contextmanager
def interruptible() -> Iterator[None]:
    """What is started or run in here takes Ctrl-C: a shell lets what it starts in the background
    ignore it, these tests perhaps among it."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, was)


def edge(*words: object, cwd: Path | None = None) -> CompletedProcess[str]:
    """Run a command in `cwd`, and return its exit code and what it printed."""
    command = ["edge", *map(str, words)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    argv, place, terminate = sys.argv, Path.cwd(), signal.getsignal(signal.SIGTERM)
    sys.argv = command
    os.chdir(cwd or place)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
        code: object = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    finally:
        sys.argv = argv
        os.chdir(place)
        signal.signal(signal.SIGTERM, terminate)
    texts = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return CompletedProcess(command, int(code), *texts)  # type: ignore[call-overload]
