from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.things.metres import Metres
from edge.things.metres_file import MetresFile

SIZE = (480, 640)
METRES = Metres(SIZE, 60.0, 2.5, 20.0, 0.0, 1.0, -0.7, 0.5, network="abc")


def test_a_file_is_taken_over_when_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "scene.json"
    file = MetresFile(path, SIZE, "abc")
    assert file.metres is None
    assert not file.changed()
    METRES.write(path)
    assert file.changed()
    assert file.metres == METRES
    assert not file.changed()
    path.unlink()  # what is known stays known
    assert not file.changed()
    assert file.metres == METRES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": [240, 320]}, "the frames are 640x480, the scene was calibrated at 320x240"),
        ({"network": "other"}, "depth of another network"),
        ({"schema": 2}, "no scene's calibration of schema 1"),
    ],
)
def test_a_wrong_file_is_told_once_and_changes_nothing(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "scene.json"
    METRES.write(path)
    file = MetresFile(path, SIZE, "abc")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(EdgeError, match=told):
        file.changed()
    assert not file.changed()
    assert file.metres == METRES
    with pytest.raises(EdgeError, match=told):
        MetresFile(path, SIZE, "abc")
