"""Inputs near a good one: a document with changed parts, bytes with changed places."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400])
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["", ".", "..", "../x", "/x", "\x00", "\x1b[31m", "\n", "\ud800", "é" * 300])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=4),
    max_leaves=6,
)  # fmt: skip
Place = tuple[Any, Any]
"""A dictionary or a list, and a key or an index of it."""


def _places(value: Any) -> Iterator[Place]:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


@st.composite
def documents(draw: st.DrawFn, *bases: Any) -> Any:
    """A document of JSON with some values replaced, moved, removed, or added."""
    document = copy.deepcopy(draw(st.sampled_from(bases)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        places = list(_places(document)) if isinstance(document, (dict, list)) else []
        if not places:
            return draw(JSON)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        change = draw(st.sampled_from(["replace", "replace", "take", "remove", "add"]))
        if change == "replace":
            holder[key] = draw(JSON)
        elif change == "take":
            other, name = places[draw(st.integers(0, len(places) - 1))]
            holder[key] = copy.deepcopy(other[name])
        elif change == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(JSON)
        else:
            holder.insert(key, copy.deepcopy(holder[key]))
    return document


@st.composite
def damaged(draw: st.DrawFn, *bases: bytes) -> bytes:
    """Bytes with some places overwritten, cut out, doubled, or filled in, or cut off."""
    data = bytearray(draw(st.sampled_from(bases)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 4]))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([1, 1, 1, 2, 4, 8, 64, 1 << 12]))
        change = draw(st.sampled_from(["flip", "flip", "write", "cut", "double", "insert", "end"]))
        if change == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "write":
            data[at : at + size] = draw(st.binary(min_size=1, max_size=8))
        elif change == "cut":
            del data[at : at + size]
        elif change == "double":
            data[at:at] = data[at : at + size]
        elif change == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif change == "end":
            del data[at:]
    return bytes(data)


STRANGE = (
    b"", b" ", b"\0" * 9, b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 50_000,
    b"1" * 5_000, b"-", b"NaN", b"1e999", b"{}", b"[]", b'""', b"null",
)  # fmt: skip
"""What is no document at all, or none that a parser can follow."""


@st.composite
def json_files(draw: st.DrawFn, *bases: Any) -> bytes:
    """The file of a document near `bases`: mostly of good JSON, some of it damaged."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from(STRANGE))
    text = json.dumps(draw(documents(*bases)), ensure_ascii=draw(st.booleans()))
    data = text.encode(errors="surrogatepass")
    return draw(damaged(data)) if draw(st.integers(0, 3)) == 0 else data
