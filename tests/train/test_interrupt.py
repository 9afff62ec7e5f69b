"""Signals are deferred to the end of a step."""

from __future__ import annotations

import signal
import threading

import pytest

from edge.train.interrupt import uninterrupted


@pytest.fixture(autouse=True)
def handlers() -> object:
    """The handler of a terminal's Ctrl-C, whatever started the tests."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def test_a_step_is_ended_before_it_is_interrupted() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest of the step")
    assert done
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_inside_does_not_swallow_the_signal() -> None:
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the step")


def test_other_threads_have_no_signals() -> None:
    seen = []

    def work() -> None:
        with uninterrupted():
            seen.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen
