"""JSON of anybody."""

from __future__ import annotations

import pytest

from edge import strict_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'key "c" occurs twice'),
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
    ],
)
def test_what_is_no_json_or_means_two_things_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        strict_json.parse(text)
