from __future__ import annotations

import time

from edge.interleave import interleave, median_ms


def test_every_run_is_called_once_per_round() -> None:
    calls: list[str] = []
    runs = [lambda name=name: calls.append(name) or name for name in "abc"]
    assert interleave(runs, 4) == [["a"] * 4, ["b"] * 4, ["c"] * 4]
    assert calls == list("abc") * 4


def test_a_seed_shuffles_within_rounds_and_repeats() -> None:
    def order(seed: int) -> list[int]:
        calls: list[int] = []
        interleave([lambda i=i: calls.append(i) for i in range(5)], 6, seed)
        return calls

    assert order(1) == order(1) != order(2)
    rounds = [order(1)[i : i + 5] for i in range(0, 30, 5)]
    assert all(sorted(calls) == list(range(5)) for calls in rounds)
    assert len({tuple(calls) for calls in rounds}) > 1


def test_on_round_counts_up() -> None:
    done: list[int] = []
    interleave([lambda: None], 3, on_round=done.append)
    assert done == [1, 2, 3]


def test_the_slower_call_has_the_longer_median() -> None:
    quick, slow = median_ms([lambda: None, lambda: time.sleep(0.002)], rounds=3, repeat=2)
    assert quick < 1 < 2 <= slow
