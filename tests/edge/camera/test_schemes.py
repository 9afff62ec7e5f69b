"""A scheme is one module that registers itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.camera import schemes
from edge.camera.reader import open_reader
from edge.camera.source import SCHEMES
from edge.errors import UsageError

PAGE = Path(__file__).parents[3] / "docs" / "cameras.md"


def test_every_module_of_the_folder_registers_a_scheme() -> None:
    schemes.load()
    folder = Path(schemes.__file__).parent
    modules = {f"{schemes.__name__}.{file.stem}" for file in folder.glob("[!_]*.py")}
    assert modules <= {opener.__module__ for opener in SCHEMES.values()}


def test_every_scheme_is_on_the_page() -> None:
    schemes.load()
    # Other tests of this process may have schemes of their own.
    ours = {name for name, opener in SCHEMES.items() if opener.__module__.startswith("edge.")}
    assert "rtsp" in ours and ours <= set(re.findall(r"`(\w+)://", PAGE.read_text()))


def test_a_new_scheme_is_a_dictionary_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def opener(url: str):  # type: ignore[no-untyped-def]
        opened.append(url)

    monkeypatch.setitem(SCHEMES, "satellite", opener)
    open_reader("Satellite://Dish/1")
    assert opened == ["satellite://Dish/1"]
    with pytest.raises(UsageError, match=r"known: a path, .*satellite://"):
        open_reader("moon://x")
