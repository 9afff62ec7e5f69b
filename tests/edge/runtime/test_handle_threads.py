"""One handle in several threads: each call gives the caller's own answer or one clear error."""

from __future__ import annotations

import re
import threading
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
    """One thread runs its frames undisturbed; the others are refused at each call."""
    wrong: list[int] = []
    refused: list[str] = []
    right: list[int] = []
    with edge.open(builds(target, "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        expected = answers(h, samples[:4])
        start = threading.Barrier(4)

        def work(index: int) -> None:
            start.wait()
            for _ in range(ROUNDS):
                try:
                    mask, _ = edge.infer(h, samples[index].fg_bg)
                except UsageError as error:
                    refused.append(str(error))
                    continue
                assert mask is not None
                (right if np.array_equal(mask, expected[index]) else wrong).append(index)
            start.wait()  # nobody ends, and gives the handle up, before the others are done

        threads = [threading.Thread(target=work, args=(i,), name=f"camera-{i}") for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert len(right) == ROUNDS and len(set(right)) == 1
    assert len(refused) == 3 * ROUNDS
    assert re.search(
        rf"run in thread camera-{right[0]}, this is thread camera-\d; open one handle per thread",
        refused[0],
    )


def test_the_result_of_the_first_thread_outlives_refused_calls(
    builds, samples: list[Sample]
) -> None:
    with edge.open(builds("onnxruntime", "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        mask, _ = edge.infer(h, samples[1].fg_bg)
        assert mask is not None
        before = mask.copy()
        ticket = edge.submit(h, samples[2].fg_bg)
        for call in (
            lambda: edge.infer(h, samples[3].fg_bg),
            lambda: edge.submit(h, samples[3].fg_bg),
            lambda: edge.wait(h, ticket),
        ):
            for _ in range(2):
                with pytest.raises(UsageError, match="one handle per thread"):
                    in_a_thread(call)
        assert np.array_equal(mask, before)
        edge.wait(h, ticket)


def test_a_handle_goes_on_when_its_thread_has_ended(builds, samples: list[Sample]) -> None:
    with edge.open(builds("openvino", "int8"), threads=1) as h:
        edge.set_background(h, samples[0].bg)
        first = answers(h, samples[:3])
        again = answers(h, samples[:3])
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        mask, _ = edge.infer(h, samples[0].fg_bg)
        assert np.array_equal(mask, first[0])  # type: ignore[arg-type]


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
