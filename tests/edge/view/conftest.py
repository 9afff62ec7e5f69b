"""The site of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Opens a site: names of cameras, and the rest as of Site; closed after the test."""
    with ExitStack() as stack:

        def make(*names: str, **given: Any) -> Site:
            made = Site(tmp_path, names or ("door",), **given)
            stack.callback(made.close)
            return made

        yield make
