"""zones.json: written and read by the same table of keys, and refused with the zone and the key."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.errors import EdgeError, UsageError
from edge.files import NotWritten
from edge.zones.file import KEYS, ZonesFile, as_json, parse_zones, read_zones, schema, write_zones
from edge.zones.zone import Zone

PAGE = Path(__file__).parents[3] / "docs" / "zones.schema.json"
SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
ZONES = [
    Zone("Tür, süd", "restricted", SQUARE, depth=(0.25, 0.5), hours=("fri-mon 22:00-06:00",)),
    Zone("hall", "counted", SQUARE, distance_m=(0.0, 4.5), rule="any", max_count=3, loitering_s=9),
    Zone("tree", "ignored", SQUARE[:3], depth=(0.0, 0.1)),
    Zone(
        "gate", "line", SQUARE[:2], directions=("in", "out"), min_size=0.001, min_age_s=0.5,
        inertia_frames=1, inertia_s=0.0, hysteresis=0.02,
    ),
]  # fmt: skip


def one(**values: Any) -> dict[str, Any]:
    """A file of one zone, with some keys changed; None leaves one out."""
    zone = {"name": "door", "kind": "restricted", "points": [list(p) for p in SQUARE], **values}
    return {"schema": 1, "zones": [{k: v for k, v in zone.items() if v is not None}]}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_zones(tmp_path / "a" / "zones.json", ZONES)
    assert read_zones(tmp_path / "a" / "zones.json") == ZONES
    assert os.listdir(tmp_path / "a") == ["zones.json"]


def test_every_field_of_a_zone_is_a_key() -> None:
    assert list(KEYS) == [field.name for field in fields(Zone)]


def test_the_published_schema_is_that_of_the_code() -> None:
    """If not: python -m edge.zones.file > docs/zones.schema.json"""
    assert json.loads(PAGE.read_text()) == schema()
    jsonschema.Draft7Validator.check_schema(schema())


def test_what_is_written_fits_the_schema() -> None:
    jsonschema.validate(as_json(ZONES), schema())
    jsonschema.validate(as_json([]), schema())


WRONG: list[tuple[dict[str, Any], str]] = [
    (one(name=None), "zone 1: key `name` is missing, expected a name"),
    (one(name=""), 'zone ``: key `name`: "", expected a name'),
    (one(name="a/b"), "zone `a/b`: key `name`"),
    (one(name="a+"), "key `name`"),
    (one(name=" a"), "key `name`"),
    (one(name="x" * 65), "key `name`"),
    (one(name=5), "zone 1: key `name`: 5"),
    (one(kind="forbidden"), 'zone `door`: key `kind`: "forbidden", expected restricted or counted'),
    (one(kind=["line"]), "key `kind`"),
    (one(points=[[0, 0], [1, 1]]), "key `points`: 2 points, expected 3 or more"),
    (one(points=[[0, 0], [1, 0], [1, 1.01]]), "key `points`"),
    (one(points=[[0, 0], [1, 0], [1, True]]), "key `points`"),
    (one(points=[[0, 0], [1, 0], [1, float("nan")]]), "key `points`"),
    (one(points=[[0, 0], [1, 0], [0, 0]]), "key `points`: a point occurs twice"),
    (one(points=[[0, 0], [1, 1], [1, 0], [0, 1]]), "its sides from the points 1 and 3 cut"),
    (one(points=[[0, 0], [0.5, 0.5], [1, 1]]), "lie on one line, so that the zone has no area"),
    (one(points=[[0, 0], [1, 0], [0.5, 1e-9]]), "the zone has no area"),
    (one(points="all"), 'key `points`: "all", expected at most 100 points'),
    (one(points=[[0, 0]] * 201), "key `points`"),
    (one(depth=[0.5, 0.2]), "key `depth`: [0.5, 0.2], expected two numbers from 0 (far)"),
    (one(depth=[0, 1.5]), "key `depth`"),
    (one(depth=0.5), "key `depth`"),
    (one(distance_m=[2, 1]), "key `distance_m`"),
    (one(distance_m=[1, 2], depth=[0, 1]), "exclude each other"),
    (one(rule="feet"), "key `rule`"),
    (one(hours="22:00-06:00"), "key `hours`"),
    (one(hours=["22-06"]), "key `hours`: `22-06`: expected hours as in"),
    (one(min_size=-0.1), "key `min_size`"),
    (one(inertia_frames=0), "key `inertia_frames`: 0, expected a number of frames"),
    (one(inertia_frames=2.5), "key `inertia_frames`"),
    (one(inertia_frames=True), "key `inertia_frames`"),
    (one(inertia_s=float("inf")), "key `inertia_s`"),
    (one(inertia_s=10**400), "key `inertia_s`"),
    (one(colour="red"), "zone `door`: unknown key `colour`; known: name, kind"),
    (one(hours=["22:00-06:00"] * 29), "expected at most 28 hours"),
    (one(points=[[each / 101, each % 2] for each in range(101)]), "expected at most 100 points"),
    ({"schema": 1, "zones": one()["zones"] * 65}, "65 zones and lines, expected at most 64"),
    (one(kind="counted", max_count=10**400), "key `max_count`"),
    (one(max_count=2), "key `max_count` has no effect on a zone of kind restricted"),
    (one(directions=["in", "out"]), "key `directions` has no effect"),
    (one(kind="line", points=[[0, 0], [1, 1]], rule="foot"), "key `rule` has no effect"),
    (one(kind="line", points=[[0, 0], [1, 1]], directions=["in", "in"]), "have one name"),
    (one(kind="ignored", min_age_s=1), "key `min_age_s` has no effect"),
    ({"schema": 1, "zones": [*one()["zones"], *one()["zones"]]}, "another zone has this name"),
    (
        {"schema": 1, "zones": one(name="Tür")["zones"] + one(name="Tu\u0308r")["zones"]},
        "zone `Tu\u0308r`: another zone has this name",
    ),
    ({"schema": 1, "zones": ["door"]}, 'zone 1: "door", expected an object'),
    ({"schema": 2, "zones": []}, "key `schema`: 2, expected 1"),
    ({"schema": True, "zones": []}, "key `schema`: true"),
    ({"schema": 1, "zones": [], "note": ""}, "unknown key `note`"),
    ({"schema": 1}, "expected an object with the keys `schema` and `zones`"),
]


@pytest.mark.parametrize(("value", "words"), WRONG, ids=lambda each: str(each)[:60])
def test_what_is_wrong_is_named(tmp_path: Path, value: dict[str, Any], words: str) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError) as caught:
        read_zones(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    for text, words in (
        (b'{"schema": 1,\n "zones": [}', "line 2, column 12"),
        (b"\xff\xfe", "is no JSON of UTF-8"),
        (b"", "line 1"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"schema": 1, "zones": [], "zones": []}', 'key "zones" occurs twice in one object'),
        (b'{"schema": 1, "zones": [{"name": "a", "name": "b"}]}', 'key "name" occurs twice'),
    ):
        path.write_bytes(text)
        with pytest.raises(UsageError, match=words):
            read_zones(path)
    with pytest.raises(EdgeError, match=r"cannot read .*none.json: No such file .*--view"):
        read_zones(tmp_path / "none.json")
    with pytest.raises(EdgeError, match="cannot read"):
        read_zones(tmp_path)


def test_a_mark_of_the_byte_order_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(one()), encoding="utf-8-sig")
    assert [zone.name for zone in read_zones(path)] == ["door"]


def test_the_command_that_mends_a_missing_file_does(tmp_path: Path) -> None:
    path = tmp_path / "a b.json"
    with pytest.raises(EdgeError) as caught:
        read_zones(path)
    subprocess.run(caught.value.hint.partition("or: ")[2], shell=True, check=True)
    assert read_zones(path) == []


def test_names_are_the_same_however_their_accents_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(one(name="Tu\u0308r")))
    assert [zone.name for zone in read_zones(path)] == ["Tür"]


def test_a_wrong_zone_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    write_zones(path, ZONES)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="key `depth`"):
        write_zones(path, [Zone("a", "restricted", SQUARE, depth=(0.5, 0.1))])
    assert path.read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten):
        write_zones(tmp_path / "file" / "zones.json", ZONES)


def test_needed_keys_are_those_without_default() -> None:
    needed = {field.name for field in fields(Zone) if field.default is MISSING}
    assert set(schema()["properties"]["zones"]["items"]["required"]) == needed
    for key in needed:
        with pytest.raises(UsageError, match=f"key `{key}` is missing"):
            parse_zones(one(**{key: None}))


def test_an_edited_file_is_taken_over_and_a_wrong_one_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    write_zones(path, ZONES)
    watched = ZonesFile(path, metres=True)
    assert watched.zones == ZONES and not watched.changed()
    write_zones(path, ZONES[:2])
    assert watched.changed() and watched.zones == ZONES[:2]
    assert not watched.changed()
    write_zones(path, ZONES[:2])
    assert not watched.changed()  # another file with the same content
    path.write_text("{")
    with pytest.raises(UsageError):
        watched.changed()
    assert not watched.changed() and watched.zones == ZONES[:2]
    assert watched.wrong is not None and str(path) in watched.wrong
    write_zones(path, ZONES[:2])
    assert not watched.changed() and watched.wrong is None  # mended: it holds what it held
    path.unlink()
    with pytest.raises(EdgeError):
        watched.changed()
    assert not watched.changed()
    write_zones(path, ZONES[:1])
    assert watched.changed() and watched.zones == ZONES[:1]


def test_distances_need_metres(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    write_zones(path, ZONES)
    with pytest.raises(UsageError, match="zone `hall`: key `distance_m`: this scene has no metres"):
        ZonesFile(path)
    write_zones(path, [ZONES[0]])
    watched = ZonesFile(path)
    write_zones(path, ZONES)
    with pytest.raises(UsageError, match="edge calibrate-scene"):
        watched.changed()
    assert watched.zones == [ZONES[0]]


def test_numbers_of_thousands_of_digits_and_names_that_no_text_holds_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(one(max_count=7)).replace("7", "9" * 5000))
    with pytest.raises(UsageError, match=r"zones\.json: .* expected smaller numbers"):
        read_zones(path)
    with pytest.raises(UsageError, match=r"zone 1: key `name`: .*\\ud800") as error:
        parse_zones(one(name="\ud800"))
    str(error.value).encode()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    write_zones(tmp_path / "real.json", ZONES[:1])
    link = tmp_path / "link.json"
    link.symlink_to("real.json")
    write_zones(link, ZONES)
    assert link.is_symlink() and read_zones(tmp_path / "real.json") == ZONES


def test_a_value_is_shown_as_it_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(one(kind="Tür")))
    with pytest.raises(UsageError, match='key `kind`: "Tür", expected restricted'):
        read_zones(path)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("edge.zones.file", run_name="__main__")
    assert json.loads(capsys.readouterr().out) == schema()
