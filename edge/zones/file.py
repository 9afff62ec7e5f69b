"""The file of a camera's zones, zones.json: read, checked and written by one table of keys.

A program that edits zones reads and writes them here, and `edge watch` takes the file over while it
runs. docs/zones.schema.json is made of the same table: python -m edge.zones.file
"""

from __future__ import annotations

import json
import math
import shlex
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from edge import strict_json
from edge.errors import EdgeError, UsageError
from edge.files import atomic_write, stamp
from edge.zones.hours import parse_hours
from edge.zones.zone import INEFFECTIVE, KINDS, RULES, Zone, check_zone

SCHEMA = 1
"""Version of the file; it grows when a key changes its meaning or goes."""
EMPTY = f'{{"schema": {SCHEMA}, "zones": []}}'
LONGEST_NAME = 64
MOST_ZONES, MOST_POINTS, MOST_HOURS, MOST = 64, 100, 28, 1_000_000
"""Of a file, of a zone, of a zone, and of any count: what more costs every frame of the camera."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A key of a zone: what it may hold.

    Attributes:
        schema: JSON schema of the value.
        expected: the same in words, for a message.
        read: gives the value as of edge.zones.zone.Zone; raises ValueError where it is wrong.
    """

    schema: Json
    expected: str
    read: Callable[[Any], Any]


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError
    if not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _numbers(low: float, high: float, words: str) -> Key:
    bounds = {"minimum": low} | ({} if math.isinf(high) else {"maximum": high})
    return Key({"type": "number", **bounds}, words, lambda value: _number(value, low, high))


def _count(least: int, words: str) -> Key:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
            raise ValueError
        return value

    return Key({"type": "integer", "minimum": least, "maximum": MOST}, words, read)


def _interval(high: float, words: str) -> Key:
    def read(value: Any) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError
        low, top = (_number(each, 0, high) for each in value)
        if low >= top:
            raise ValueError
        return low, top

    bounds: Json = {"minimum": 0} | ({} if math.isinf(high) else {"maximum": high})
    items = {"type": "number", **bounds}
    return Key({"type": "array", "items": items, "minItems": 2, "maxItems": 2}, words, read)


def _choice(names: Sequence[str]) -> Key:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError
        return value

    return Key({"enum": list(names)}, " or ".join(names), read)


def _name(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= LONGEST_NAME
        or value != value.strip()
        or any(letter in '/+#\\"' or not letter.isprintable() for letter in value)
        or value.startswith((".", "$"))
    ):
        raise ValueError
    return normal(value)


def normal(name: str) -> str:
    """A name as it is compared: an accent may be typed as a part of its letter or after it."""
    return unicodedata.normalize("NFC", name)


NAME = Key(
    {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME,
     "pattern": "^[^/+#\\\\\"\\s.$]([^/+#\\\\\"]*[^/+#\\\\\"\\s])?$"},
    f"a name of at most {LONGEST_NAME} letters without / + # \\ and quotes",
    _name,
)  # fmt: skip


def _points(value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or len(value) > MOST_POINTS:
        raise ValueError
    points = []
    for point in value:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError
        points.append((_number(point[0], 0, 1), _number(point[1], 0, 1)))
    return tuple(points)


def _two_names(value: Any) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError
    return _name(value[0]), _name(value[1])


def _hours(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError
    if len(value) > MOST_HOURS:
        raise ValueError
    for text in value:
        parse_hours(text)
    return tuple(value)


RELATIVE = {"type": "number", "minimum": 0, "maximum": 1}
KEYS: dict[str, Key] = {
    "name": NAME,
    "kind": _choice(KINDS),
    "points": Key(
        {"type": "array", "minItems": 2, "maxItems": MOST_POINTS,
         "items": {"type": "array", "items": RELATIVE, "minItems": 2, "maxItems": 2}},
        f"at most {MOST_POINTS} points [x, y], each from 0 (left, top) to 1 (right, bottom)",
        _points,
    ),
    "depth": _interval(1, "two numbers from 0 (far) to 1 (near), the smaller first: [0.4, 0.6]"),
    "distance_m": _interval(math.inf, "[lowest, highest] distance in metres"),
    "rule": _choice(RULES),
    "directions": Key(
        {"type": "array", "items": NAME.schema, "minItems": 2, "maxItems": 2},
        "two names: of crossing to the right and to the left",
        _two_names,
    ),
    "hours": Key(
        {"type": "array", "items": {"type": "string"}, "maxItems": MOST_HOURS},
        f"at most {MOST_HOURS} hours as in [\"22:00-06:00\"] or [\"mon-fri 08:00-18:00\"]",
        _hours,
    ),
    "min_size": _numbers(0, 1, "a share of the frame from 0 to 1"),
    "min_age_s": _numbers(0, math.inf, "seconds"),
    "inertia_frames": _count(1, "a number of frames, 1 or more"),
    "inertia_s": _numbers(0, math.inf, "seconds"),
    "hysteresis": _numbers(0, 0.5, "a share of the frame's height from 0 to 0.5"),
    "loitering_s": _numbers(0, math.inf, "seconds"),
    "max_count": _count(0, "a number of things"),
}  # fmt: skip
"""The keys of a zone, each a field of edge.zones.zone.Zone."""
NEEDED = tuple(field.name for field in fields(Zone) if field.default is MISSING)


def read_zones(path: Path, metres: bool = True) -> list[Zone]:
    """Read zones.json.

    Args:
        path: the file.
        metres: the scene is calibrated; otherwise zones with distances are refused.

    Raises:
        EdgeError: the file cannot be read.
        UsageError: it is no such file; the message names the file, the zone and the key.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise EdgeError(
            f"cannot read {path}: {error.strerror or error}",
            f"draw its zones with --view, or: echo '{EMPTY}' > {shlex.quote(str(path))}",
        ) from error
    try:
        # Editors on Windows begin a file with a mark of the byte order.
        value = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}, expected JSON"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON of UTF-8") from error
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"{path}: {error}, expected smaller numbers") from error
    try:
        zones = parse_zones(value)
        if not metres:
            refuse_distances(zones)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error
    return zones


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    """An object of JSON whose keys occur once."""
    try:
        return strict_json.unique(pairs)
    except ValueError as error:
        raise UsageError(str(error), "leave one out") from error


def refuse_distances(zones: Sequence[Zone]) -> None:
    """Raise UsageError about a zone with a distance, in a scene that has no metres."""
    for zone in zones:
        if zone.distance_m is not None:
            raise UsageError(
                f"zone `{zone.name}`: key `distance_m`: this scene has no metres",
                "edge calibrate-scene, and name its file as `metres`; or give `depth`",
            )


def parse_zones(value: Any) -> list[Zone]:
    """Make zones of a parsed zones.json.

    Raises:
        UsageError: something is wrong; the message names the zone and the key.
    """
    if not isinstance(value, dict) or not isinstance(value.get("zones"), list):
        raise UsageError(
            "expected an object with the keys `schema` and `zones`",
            f"an empty file is {EMPTY}",
        )
    if value.get("schema") != SCHEMA or isinstance(value.get("schema"), bool):
        found = _shown(value.get("schema"))
        raise UsageError(f"key `schema`: {found}, expected {SCHEMA}", "update this program")
    _refuse_unknown(value, ("schema", "zones"))
    if len(value["zones"]) > MOST_ZONES:
        raise UsageError(f"{len(value['zones'])} zones and lines, expected at most {MOST_ZONES}")
    zones: list[Zone] = []
    for number, each in enumerate(value["zones"], 1):
        name = each.get("name") if isinstance(each, dict) else None
        named = isinstance(name, str) and name.isprintable()
        place = f"zone `{name}`" if named else f"zone {number}"
        try:
            zone = _parse_zone(each)
            if any(zone.name == other.name for other in zones):
                raise UsageError("another zone has this name", "give each a name of its own")
        except UsageError as error:
            raise UsageError(f"{place}: {error.message}", error.hint) from error
        zones.append(zone)
    return zones


def _parse_zone(value: Any) -> Zone:
    if not isinstance(value, dict):
        raise UsageError(f"{_shown(value)}, expected an object")
    _refuse_unknown(value, KEYS)
    for key in NEEDED:
        if key not in value:
            raise UsageError(f"key `{key}` is missing, expected {KEYS[key].expected}")
    read: Json = {}
    for key, found in value.items():
        try:
            read[key] = KEYS[key].read(found)
        except UsageError as error:
            raise UsageError(f"key `{key}`: {error.message}", error.hint) from error
        except (ValueError, OverflowError) as error:
            raise UsageError(
                f"key `{key}`: {_shown(found)}, expected {KEYS[key].expected}"
            ) from error
    for key in INEFFECTIVE[read["kind"]]:
        if key in read:
            raise UsageError(f"key `{key}` has no effect on a zone of kind {read['kind']}",
                             "leave it out")  # fmt: skip
    zone = Zone(**read)
    check_zone(zone)
    return zone


def _refuse_unknown(value: Json, known: Any) -> None:
    for key in value:
        if key not in known:
            raise UsageError(f"unknown key `{key}`", f"known: {', '.join(known)}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def as_json(zones: Sequence[Zone]) -> Json:
    """The content of zones.json; keys with their default are left out."""
    default = {field.name: field.default for field in fields(Zone)}
    listed = []
    for zone in zones:
        values = asdict(zone)
        listed.append(
            {key: values[key] for key in KEYS if key in NEEDED or values[key] != default[key]}
        )
    content: Json = json.loads(json.dumps({"schema": SCHEMA, "zones": listed}))
    return content


def write_zones(path: Path, zones: Sequence[Zone]) -> None:
    """Write zones.json, whole or not at all; where the path is a link, the file that it names.

    Raises:
        NotWritten: the file cannot be written.
        UsageError: the zones are not what `read_zones` reads.
    """
    text = json.dumps(as_json(zones), indent=1, ensure_ascii=False)
    parse_zones(json.loads(text))
    with atomic_write(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


class ZonesFile:
    """Watches a file of zones for changes, while others edit it."""

    def __init__(self, path: Path, metres: bool = False) -> None:
        """Read the file; errors as of `read_zones`.

        metres: the scene is calibrated, so zones may have distances.

        Attributes:
            wrong: why what the file holds now was not taken over; None where it was.
        """
        self.path, self._metres = path, metres
        self.wrong: str | None = None
        self._stamp = stamp(path)
        self.zones = read_zones(path, metres)

    def changed(self) -> bool:
        """Whether the file was changed since the last look and its zones were taken over.

        Raises:
            EdgeError: the new content is wrong; it is told once, and the former zones stay.
        """
        now = stamp(self.path)
        if now == self._stamp:
            return False
        self._stamp = now
        try:
            zones = read_zones(self.path, self._metres)
        except EdgeError as error:
            self.wrong = str(error)
            raise
        same, self.zones, self.wrong = zones == self.zones, zones, None
        return not same


def schema() -> Json:
    """The JSON schema (draft 7) of zones.json."""
    zone = {
        "type": "object",
        "required": list(NEEDED),
        "additionalProperties": False,
        "properties": {name: key.schema for name, key in KEYS.items()},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "zones.json of edge watch",
        "type": "object",
        "required": ["schema", "zones"],
        "additionalProperties": False,
        "properties": {
            "schema": {"const": SCHEMA},
            "zones": {"type": "array", "items": zone, "maxItems": MOST_ZONES},
        },
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
