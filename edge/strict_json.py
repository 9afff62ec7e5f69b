"""JSON of files that anything may have written."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is none, an object has a key twice, or it is nested deeper than this program
            follows.
    """
    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its keys and values; ValueError where a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = json.dumps(next(key for key in keys if keys.count(key) > 1))
        raise ValueError(f"key {twice[:60]} occurs twice in one object")
    return found
