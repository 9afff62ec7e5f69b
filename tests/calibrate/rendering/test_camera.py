"""A rendered scene as a live camera."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge.calibrate.rendering import camera as module
from edge.calibrate.rendering.camera import FPS, open_rendered


def test_a_live_scene_keeps_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame is the one of its time: those for which there was no time are left out."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    live, recorded = (open_rendered(f"synthetic://yard?seed=4{end}") for end in ("&live=1", ""))
    assert (live.live, recorded.live) == (True, False)
    frames = [recorded.read().image for _ in range(8)]
    assert np.array_equal(live.read().image, frames[0])
    assert np.array_equal(live.read().image, frames[1])
    assert now[0] == pytest.approx(100 + 1 / FPS)
    now[0] += 4.5 / FPS
    assert np.array_equal(live.read().image, frames[5])
    assert np.array_equal(live.read().image, frames[6])
    assert now[0] == pytest.approx(100 + 6 / FPS)
