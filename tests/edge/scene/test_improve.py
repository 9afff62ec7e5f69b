from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from edge.samples.sample import Image
from edge.scene.background import Background, certain
from edge.scene.improve import AGES_S, BackgroundImprover, changed_share


def image(level: int) -> Image:
    return np.full((8, 8, 3), level, np.uint8)


def taken(improver: BackgroundImprover) -> Background | None:
    end = time.monotonic() + 5
    while (background := improver.take()) is None and time.monotonic() < end:
        time.sleep(0.01)
    return background


def test_the_background_is_estimated_again_at_each_age() -> None:
    counts: list[int] = []

    def estimate(images: Sequence[Image]) -> Background:
        counts.append(len(images))
        return certain(images[-1])

    improver = BackgroundImprover(estimate)
    ready = []
    for second in range(0, int(AGES_S[-1]) + 60, 10):
        improver.add(image(second % 200), float(second))
        if len(counts) + (improver._pending is not None) > len(ready) and (b := taken(improver)):
            ready.append((second, b.image[0, 0, 0]))
    improver.close()
    assert [second for second, _ in ready] == list(map(int, AGES_S))
    assert [level for _, level in ready] == [second % 200 for second, _ in ready]
    assert counts == sorted(counts)
    assert improver.done


def test_an_error_of_the_estimate_reaches_the_loop() -> None:
    def estimate(images: Sequence[Image]) -> Background:
        raise RuntimeError("out of memory")

    improver = BackgroundImprover(estimate)
    improver.add(image(1), 0.0)
    improver.add(image(1), AGES_S[0])
    with pytest.raises(RuntimeError, match="out of memory"):
        taken(improver)
    improver.close()


def test_how_much_changed() -> None:
    half = image(0)
    half[:4] = 200
    assert changed_share(certain(image(0)), certain(half)) == 0.5
