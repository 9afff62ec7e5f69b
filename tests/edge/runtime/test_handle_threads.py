"""One handle in several threads: each call gives the caller's own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import edge
from edge.errors import EdgeError, UsageError
from edge.samples.sample import Sample

TARGETS = ["onnxruntime", "openvino"]
ROUNDS = 40


def in_a_thread(work: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1, "other") as pool:
        return pool.submit(work).result()


def answers(h: edge.Handle, samples: list[Sample]) -> list[np.ndarray]:
    """The mask of each sample's frame, computed by a thread that then ends."""

    def work() -> list[np.ndarray]:
        masks = [edge.infer(h, sample.fg_bg)[0] for sample in samples]
        return [edge.infer(h, sample.fg_bg)[0].copy() for sample in samples if masks]  # type: ignore[union-attr]

    return in_a_thread(work)  # type: ignore[return-value]


@pytest.mark.parametrize("target", TARGETS)
def test_many_threads_on_one_handle(target: str, builds, samples: list[Sample]) -> None:
    """Each thread reads its result late, after calls of the others, and it is still its own."""
    wrong: list[int] = []
    with edge.open(builds(target, "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        expected = answers(h, samples[:4])
        start = threading.Barrier(4)

        def work(index: int) -> None:
            start.wait()
            for number in range(ROUNDS):
                if number % 2:
                    mask, _ = edge.infer(h, samples[index].fg_bg)
                else:
                    mask = submitted(h, samples[index])
                time.sleep(1e-4 * index)
                if not np.array_equal(mask, expected[index]):  # type: ignore[arg-type]
                    wrong.append(index)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    assert not wrong


def submitted(h: edge.Handle, sample: Sample) -> object:
    """The mask by submit and wait; others may fill both places in between."""
    while True:
        try:
            ticket = edge.submit(h, sample.fg_bg)
        except UsageError as error:
            assert "wait for ticket" in str(error)
            time.sleep(1e-4)
        else:
            return edge.wait(h, ticket)[0]


@pytest.mark.parametrize("target", TARGETS)
def test_a_pool_that_takes_turns(target: str, builds, samples: list[Sample]) -> None:
    """One frame at a time, each in another thread; all results are kept and stay right."""
    with edge.open(builds(target, "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        expected = answers(h, samples[:6])
    with edge.open(builds(target, "int8"), threads=1) as h:
        in_a_thread(lambda: edge.set_background(h, samples[0].bg))
        first, _ = edge.infer(h, samples[0].fg_bg)
        masks = [in_a_thread(lambda s=s: edge.infer(h, s.fg_bg)) for s in samples[1:6]]
        found = [first, *(mask for mask, _ in masks)]  # type: ignore[misc]
        for mask, true in zip(found, expected, strict=True):
            assert np.array_equal(mask, true)  # type: ignore[arg-type]


def test_the_results_of_the_first_thread_outlive_a_second(builds, samples: list[Sample]) -> None:
    with edge.open(builds("onnxruntime", "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        expected = answers(h, samples[:5])
    with edge.open(builds("onnxruntime", "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[1].fg_bg)
        ticket = edge.submit(h, samples[2].fg_bg)
        for number in (3, 4):
            other = in_a_thread(lambda n=number: edge.infer(h, samples[n].fg_bg))
            assert np.array_equal(other[0], expected[number])  # type: ignore[index]
        second = in_a_thread(lambda: edge.submit(h, samples[3].fg_bg))
        with pytest.raises(UsageError, match=f"wait for ticket {ticket} first"):
            edge.submit(h, samples[0].fg_bg)
        assert np.array_equal(mask, expected[1])  # type: ignore[arg-type]
        late, _ = in_a_thread(lambda: edge.wait(h, ticket))  # type: ignore[misc]
        assert np.array_equal(late, expected[2])
        assert np.array_equal(edge.wait(h, second)[0], expected[3])  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="not under way"):
            edge.wait(h, ticket)


def test_a_frame_that_is_refused_takes_nothing_over(builds, samples: list[Sample]) -> None:
    with edge.open(builds("onnxruntime", "int8"), threads=1) as h:
        with pytest.raises(UsageError, match="no background yet"):
            edge.infer(h, samples[0].fg_bg)
        edge.set_background(h, samples[0].bg)
        with pytest.raises(UsageError, match="frame is"):
            edge.infer(h, samples[0].fg_bg[:8])
        assert in_a_thread(lambda: edge.infer(h, samples[0].fg_bg)) is not None


@pytest.mark.parametrize("target", TARGETS)
def test_another_thread_changes_the_background(target: str, builds, samples: list[Sample]) -> None:
    """Every answer is against one of the two backgrounds, never against half of each."""
    with edge.open(builds(target, "int8"), threads=1) as h:
        known = []
        for scene in (0, 4):
            edge.set_background(h, samples[scene].bg)
            known.append(answers(h, [samples[1]])[0])
        done = threading.Event()
        failed: list[BaseException] = []

        def change() -> None:
            try:
                for number in range(12):
                    edge.set_background(h, samples[(number % 2) * 4].bg)
            except BaseException as error:
                failed.append(error)
            done.set()

        thread = threading.Thread(target=change)
        thread.start()
        strange = 0
        while not done.is_set():
            masks = [
                edge.infer(h, samples[1].fg_bg)[0],
                edge.wait(h, edge.submit(h, samples[1].fg_bg))[0],
            ]
            for mask in masks:
                strange += not any(np.array_equal(mask, true) for true in known)  # type: ignore[arg-type]
        thread.join()
        assert not failed
        assert not strange


@pytest.mark.parametrize("target", TARGETS)
def test_another_thread_closes(target: str, builds, samples: list[Sample]) -> None:
    h = edge.open(builds(target, "int8"), threads=1)
    edge.set_background(h, samples[0].bg)
    closer = threading.Timer(0.05, edge.close, [h])
    closer.start()
    with pytest.raises(EdgeError, match="is closed"):
        while True:
            edge.infer(h, samples[0].fg_bg)
    closer.join()
