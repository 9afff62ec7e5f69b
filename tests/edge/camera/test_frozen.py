from __future__ import annotations

import numpy as np
import pytest

from edge.camera import frozen
from edge.camera.frozen import FrozenDetector


def test_identical_images_become_frozen_once_and_a_change_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(frozen.time, "monotonic", lambda: now[0])
    detector = FrozenDetector(2)
    image = np.full((32, 32, 3), 7, np.uint8)
    changes = []
    for now[0] in (100.0, 101.0, 102.0, 103.0):
        changes.append(detector.update(image.copy()))
    assert changes == [None, None, True, None]
    image[5, 5] = 8  # off the grid that is compared first
    assert detector.update(image) is False
    assert detector.update(image[:16]) is None
