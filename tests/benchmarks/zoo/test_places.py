from __future__ import annotations

from pathlib import Path

import pytest

from edge.benchmarks.zoo.places import (
    BLOCK,
    BLOCKED,
    GAP,
    HELD_OUT,
    TRAINING,
    USES,
    VALIDATION,
    link_places,
    use_of,
    use_of_frame,
)
from edge.errors import EdgeError


def test_cameras_of_a_place_have_one_use() -> None:
    for names, use in (
        (("ist_lab1_cam1", "ist_lab2_cam2", "ist_lab_stills"), HELD_OUT),
        (("ist_table1_cam1", "ist_table2_cam2"), HELD_OUT),
        (("ist_class_one", "ist_class_queue", "fall_room_a", "fall_room_b"), TRAINING),
        (("ist_room1_cam1", "ist_room1_cam2"), VALIDATION),
    ):
        assert {use_of(name) for name in names} == {use}


def test_blocks_are_apart() -> None:
    uses = [use_of_frame(number) for number in range(1250)]
    assert uses.count(HELD_OUT) == 250 and uses.count(VALIDATION) == 100
    assert 800 < uses.count(TRAINING) < 900
    trained = [number for number, use in enumerate(uses) if use == TRAINING]
    for number, use in enumerate(uses):
        if use in (HELD_OUT, VALIDATION):
            assert all(abs(number - other) > GAP for other in trained)
            assert use == uses[number - number % BLOCK]


def test_every_file_is_linked_for_one_use(tmp_path: Path) -> None:
    data, out = tmp_path / "rgbd", tmp_path / "out"
    for camera, count in ((BLOCKED, 300), ("urfd_office", 2), ("new_place", 2)):
        for part in ("rgb", "depth"):
            (data / camera / part).mkdir(parents=True)
            for number in range(count):
                (data / camera / part / f"{number:05}.png").write_text(part)
        (data / camera / "meta.json").write_text("{}")
    link_places(data, out)
    link_places(data, out)  # a run that was killed goes on
    linked = {use: {p.name for p in (out / use / BLOCKED / "rgb").iterdir()} for use in USES}
    assert not linked[TRAINING] & linked[HELD_OUT] and not linked[TRAINING] & linked[VALIDATION]
    assert sum(len(names) for names in linked.values()) == 300 - 3 * GAP
    assert {use for use in USES if (out / use / "urfd_office").exists()} == {HELD_OUT}
    assert {use for use in USES if (out / use / "new_place").exists()} == {TRAINING}
    assert all((out / use / BLOCKED / "meta.json").is_file() for use in USES)
    assert (out / HELD_OUT / BLOCKED / "depth" / "00100.png").read_text() == "depth"
    with pytest.raises(EdgeError, match="no cameras with depth"):
        link_places(tmp_path / "nothing", out)
