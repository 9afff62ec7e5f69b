"""The sources of samples by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.samples import open_samples
from edge.samples.sample import SampleError


@pytest.mark.parametrize(
    ("place", "count", "seed"), [("rendered", 64, 0), ("rendered:8", 8, 0), ("rendered:8:3", 8, 3)]
)
def test_a_rendered_set_has_a_count_and_a_seed(place: str, count: int, seed: int) -> None:
    assert open_samples(place).fingerprint() == Rendered(count, seed=seed).fingerprint()


@pytest.mark.parametrize(
    "place", ["rendered:", "rendered:x", "rendered:8:x", "rendered:8:3:1", "rendered:-1"]
)
def test_another_form_is_refused_with_the_one_that_is_meant(place: str) -> None:
    with pytest.raises(SampleError, match=r"expected rendered\[:COUNT\[:SEED\]\]"):
        open_samples(place)


def test_a_set_of_none_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="COUNT must be at least 1"):
        open_samples("rendered:0")
    assert len(open_samples("rendered:1")) == 1
    with pytest.raises(SampleError):
        open_samples(str(tmp_path / "renderedx"))
