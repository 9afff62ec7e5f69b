"""Assignments, against all permutations."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from edge.things.assign import assign


def best(cost: np.ndarray) -> tuple[int, float]:
    """The most pairs and their least cost, by trying everything."""
    if cost.shape[0] > cost.shape[1]:
        cost = cost.T
    rows, columns = cost.shape
    found = (0, 0.0)
    for choice in permutations(range(columns), rows):
        costs = cost[np.arange(rows), list(choice)]
        allowed = costs[np.isfinite(costs)]
        found = min(found, (-len(allowed), float(allowed.sum())))
    return -found[0], found[1]


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (6, 4), (6, 6)])
def test_the_cheapest_assignment_is_found(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape[0] * 10 + shape[1])
    for forbidden in (0.0, 0.3, 0.7, 1.0):
        for _ in range(8):
            cost = rng.random(shape)
            cost[rng.random(shape) < forbidden] = np.inf
            pairs = assign(cost)
            assert len({row for row, _ in pairs}) == len({column for _, column in pairs})
            total = sum(float(cost[pair]) for pair in pairs)
            assert (len(pairs), total) == (best(cost)[0], pytest.approx(best(cost)[1])), cost


def test_ties_and_nothing() -> None:
    assert len(assign(np.zeros((4, 6)))) == 4
    assert assign(np.zeros((0, 3))) == []
    assert assign(np.zeros((3, 0))) == []
    assert assign(np.full((2, 2), np.inf)) == []


def test_hundreds_are_assigned() -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(500)
    cost = rng.uniform(0.5, 1, (500, 500))
    cost[np.arange(500), order] = rng.uniform(0, 0.4, 500)
    assert assign(cost) == list(enumerate(order.tolist()))
