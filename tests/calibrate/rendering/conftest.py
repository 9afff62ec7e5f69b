"""What is rendered is rendered: nothing is kept (tests/conftest.py)."""

from __future__ import annotations

import pytest

from edge.calibrate.rendering.samples import Rendered


@pytest.fixture(autouse=True)
def _rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rendered, "__getitem__", Rendered.__getitem__.__wrapped__)  # type: ignore[attr-defined]
