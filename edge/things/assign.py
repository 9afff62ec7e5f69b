"""Which track takes which thing: the cheapest assignment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FORBIDDEN = 1e6
"""A cost above every sum of allowed ones."""


def assign(cost: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs of rows and columns that cost least (the Hungarian method).

    As many pairs as possible are made; each row and each column is in one at most.

    Args:
        cost: float64 [rows, columns], at least 0 and far below FORBIDDEN; infinite where a pair is
            not allowed.
    """
    allowed = np.isfinite(cost)
    rows, columns = np.flatnonzero(allowed.any(1)), np.flatnonzero(allowed.any(0))
    if not rows.size:
        return []
    some = np.where(allowed, cost, FORBIDDEN)[np.ix_(rows, columns)]
    if len(rows) > len(columns):
        pairs = [(row, column) for column, row in _square(some.T)]
    else:
        pairs = _square(some)
    found = [(int(rows[row]), int(columns[column])) for row, column in pairs]
    return sorted(pair for pair in found if allowed[pair])


def _square(cost: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """A column for every row; there are at least as many columns. Shortest augmenting paths."""
    rows, columns = cost.shape
    cheapest = cost.argmin(1).tolist()
    if len(set(cheapest)) == rows:  # nobody disputes anything
        return list(enumerate(cheapest))
    row_price, price = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.int64)  # the row of each column, from 1; 0: none
    row_price[1:] = cost.min(1)
    for row, column in enumerate(cheapest, 1):
        if owner[column + 1] == 0:
            owner[column + 1] = row
            continue
        owner[0], column = row, 0
        least = np.full(columns + 1, np.inf)
        came_from = np.zeros(columns + 1, np.int64)
        reached = np.zeros(columns + 1, np.bool_)
        while True:
            reached[column] = True
            current = owner[column]
            slack = cost[current - 1] - row_price[current] - price[1:]
            better = ~reached[1:] & (slack < least[1:])
            least[1:][better] = slack[better]
            came_from[1:][better] = column
            nearest = int(np.where(reached, np.inf, least).argmin())
            step = least[nearest]
            row_price[owner[reached]] += step
            price[reached] -= step
            least[~reached] -= step
            column = nearest
            if owner[column] == 0:
                break
        while column:
            before = int(came_from[column])
            owner[column] = owner[before]
            column = before
    return [(int(row) - 1, column) for column, row in enumerate(owner[1:]) if row]
