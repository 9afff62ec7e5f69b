"""JSON of files that anything may have written."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is none, or is nested deeper than this program follows.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
