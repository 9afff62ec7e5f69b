"""What coverage-guided runs found to reach new lines (make fuzz-coverage), read once more."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")  # of the file that checks networks

from .coverage import CORPUS, PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_every_input_is_whole_or_refused(name: str, tmp_path: Path) -> None:
    read = PARSERS[name](tmp_path)
    inputs = sorted((CORPUS / name).iterdir())
    assert len(inputs) > 10
    for file in inputs:
        read(file.read_bytes())
