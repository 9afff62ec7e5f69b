"""cameras.toml: which cameras are watched, and where their events go.

It is checked as a whole before anything starts; a message names the file, the line and the key.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from edge.camera.address import redact_address
from edge.camera.schemes.recording import path_of
from edge.camera.value_range import AUTO, MOST, parse_range
from edge.errors import EdgeError, UsageError
from edge.events.left import LEFT_S
from edge.events.look import MIN_SIZE
from edge.loop.overlay import REDACTIONS
from edge.zones.file import normal
from edge.zones.hours import parse_hours

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Value = TypeVar("Value")
Where = tuple[str, ...]
"""The keys that lead to a value."""
NAME = re.compile(r"[\w-][\w.-]{0,62}")
"""Names of cameras, sinks and profiles: they are part of topics and paths."""

SMALLEST_SHARE = 1e-6
"""Of the frames that FP32 sees as well: one of a million."""
SINK_FILES = ("ca", "certificate", "key")
"""Keys of sinks whose values are files, besides those that end in `_file`."""


@dataclass(frozen=True)
class CameraConfig:
    """One camera; relative paths are those of the file's folder.

    Attributes:
        name: unique; its key.
        source: address or path.
        background: image of the empty scene; None: made first.
        seconds: of the source that the background is made of.
        range: range of a 16-bit source that becomes 0 to 255.
        stabilize: register the frames of a trembling camera.
        build: build folder; None: that of the file, else the bundled network.
        zones: file of its zones (edge.zones.file); None: none.
        metres: what `edge calibrate-scene` wrote; None: nobody knows metres.
        schedule: hours in which things are watched; empty for always.
        left_s: seconds after which a thing was left behind or taken away.
        min_size: share of the frame that a thing must have covered once to be told at all.
        classify: classifier that names new things, .onnx.
        shadow: share of its frames that FP32 sees as well (edge.watch.shadow); None: none.
        sinks: names of the sinks that get its events; None: all.
    """

    name: str
    source: str
    background: Path | None = None
    seconds: float | None = None
    range: str | None = None
    stabilize: bool = True
    build: Path | None = None
    zones: Path | None = None
    metres: Path | None = None
    schedule: tuple[str, ...] = ()
    left_s: float = LEFT_S
    min_size: float = MIN_SIZE
    classify: Path | None = None
    shadow: float | None = None
    sinks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recordings:
    """Snapshots of events, and clips around them.

    Attributes:
        clips: write clips besides snapshots.
        limit_mb: megabytes of all together; the oldest are deleted above it.
        redact: how the foreground is hidden (edge.loop.overlay.REDACTIONS), or None.
    """

    clips: bool = True
    limit_mb: int = 2000
    redact: str | None = None


@dataclass(frozen=True)
class WatchConfig:
    """What is watched.

    Attributes:
        cameras: at least one.
        sinks: tables as of edge.sinks.sink.open_sink, by name.
        profiles: what each profile does not watch, as `CAMERA` or `CAMERA/ZONE`; the first is the
            one that holds at the start.
        folder: where events wait for sinks, and where recordings are kept.
        recordings: what is recorded; None: nothing.
        places: how messages name the table of each sink.
    """

    cameras: tuple[CameraConfig, ...]
    sinks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path = Path("watch")
    recordings: Recordings | None = None
    places: Mapping[str, str] = field(default_factory=dict)


class _Wrong(Exception):
    """A value is wrong: where, what was expected."""

    def __init__(self, where: Where, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.where, self.message, self.hint = where, message, hint


def read_config(path: Path) -> WatchConfig:
    """Read cameras.toml.

    Raises:
        EdgeError: the file cannot be read.
        UsageError: it is wrong; the message names the line and the key.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise EdgeError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text of UTF-8", "save it as UTF-8") from error
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}, expected TOML") from error
    except (ValueError, RecursionError) as error:  # as a number of thousands of digits
        raise UsageError(f"{path}: {error}, expected smaller values") from error
    try:
        config = _config(value, path.parent)
    except _Wrong as wrong:
        raise located(path, text, wrong.where, wrong.message, wrong.hint) from None
    places = {name: place_of(path, text, ("sinks", name)) for name in config.sinks}
    return replace(config, places=places)


def read_text(path: Path) -> str:
    """The text of a file of UTF-8, with or without a mark of the byte order."""
    return path.read_bytes().decode("utf-8-sig")


def located(path: Path, text: str, where: Where, message: str, hint: str = "") -> UsageError:
    """The error about a value of the file: with its line and its key."""
    return UsageError(f"{place_of(path, text, where)}: {message}", hint)


def place_of(path: Path, text: str, where: Where) -> str:
    """How messages name a value of the file."""
    key = f": key `{'.'.join(where)}`" if where else ""
    return f"{path}: line {line_of(text, where)}{key}"


def line_of(text: str, where: Where) -> int:
    """The line, from 1, of a key of a TOML document; of its table where the key is not found."""
    found, table = 1, ()  # type: tuple[int, Where]
    best = 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.fullmatch(r"\s*\[\[?(.+?)\]\]?\s*(?:#.*)?", line)
        entry = re.match(r"\s*([\w.\"' -]+?)\s*=", line)
        if header:
            place = table = _parts(header[1])
        elif entry:
            place = table + _parts(entry[1])
        else:
            continue
        if place == where[: len(place)] and len(place) > best:
            found, best = number, len(place)
    return found


def _parts(key: str) -> Where:
    parts = re.findall(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)", key)
    return tuple(first or second or third for first, second, third in parts)


def _config(value: dict[str, Any], folder: Path) -> WatchConfig:
    known = ("build", "cameras", "folder", "profiles", "recordings", "sinks")
    _refuse_unknown((), value, known)
    build = _path(("build",), value["build"], folder) if "build" in value else None
    sinks = {
        name: {key: _sink_value(key, each, folder) for key, each in table.items()}
        for name, table in _tables("sinks", value).items()
    }
    cameras = tuple(
        _camera(name, table, folder, build, sinks)
        for name, table in _tables("cameras", value).items()
    )  # fmt: skip
    if not cameras:
        raise _Wrong(("cameras",), "no camera, expected one or more", "as in [cameras.door]")
    profiles = value.get("profiles", {})
    if not isinstance(profiles, dict):
        raise _Wrong(("profiles",), "expected a table")
    return WatchConfig(
        cameras,
        sinks,
        {name: _profile(name, table, cameras) for name, table in profiles.items()},
        _path(("folder",), value.get("folder", "watch"), folder),
        _recordings(value["recordings"]) if "recordings" in value else None,
    )


def _sink_value(key: str, value: Any, folder: Path) -> Any:
    """A value of a sink's table; those that are files are relative to the file's folder."""
    is_path = isinstance(value, str) and (key.endswith("_file") or key in SINK_FILES)
    return str(folder / value) if is_path else value


def _recordings(table: Any) -> Recordings:
    where: Where = ("recordings",)
    if not isinstance(table, dict):
        raise _Wrong(where, "expected a table, as in [recordings]")
    readers: dict[str, Callable[[Where, Any], Any]] = {
        "clips": _flag,
        "limit_mb": lambda at, found: round(_number(at, found, 1, 1e9)),
        "redact": _redaction,
    }
    _refuse_unknown(where, table, readers)
    return Recordings(**{key: readers[key]((*where, key), each) for key, each in table.items()})


def _redaction(where: Where, found: Any) -> str:
    if found not in REDACTIONS:
        raise _Wrong(where, f"{_shown(found)}, expected {' or '.join(REDACTIONS)}")
    return str(found)


def _tables(key: str, value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tables = value.get(key, {})
    if not isinstance(tables, dict):
        raise _Wrong((key,), "expected tables", f"as in [{key}.NAME]")
    for name, table in tables.items():
        if not NAME.fullmatch(name):
            raise _Wrong((key, name), "expected a name of letters, digits, - and _")
        if not isinstance(table, dict):
            raise _Wrong((key, name), f"expected a table, as in [{key}.{name}]")
    return tables


def _profile(name: str, table: Any, cameras: Sequence[CameraConfig]) -> tuple[str, ...]:
    where: Where = ("profiles", name)
    if not NAME.fullmatch(name):
        raise _Wrong(where, "expected a name of letters, digits, - and _")
    if not isinstance(table, dict) or set(table) != {"off"}:
        raise _Wrong(where, "expected the key `off`: what is not watched", 'off = ["door/porch"]')
    off = tuple(normal(each) for each in _texts((*where, "off"), table["off"]))
    names = [camera.name for camera in cameras]
    for each in off:
        if each.partition("/")[0] not in names:
            raise _Wrong(
                (*where, "off"),
                f"no camera `{each.partition('/')[0]}`",
                f"cameras: {', '.join(names)}",
            )  # fmt: skip
    return off


def _camera(
    name: str, table: dict[str, Any], folder: Path, build: Path | None, sinks: Mapping[str, Any]
) -> CameraConfig:
    where: Where = ("cameras", name)
    readers: dict[str, Callable[[Where, Any], Any]] = {
        "source": lambda at, found: _source(at, found, folder),
        "background": lambda at, found: _path(at, found, folder),
        "seconds": lambda at, found: _number(at, found, 0.1, 86_400),
        "range": _range,
        "stabilize": _flag,
        "build": lambda at, found: _path(at, found, folder),
        "zones": lambda at, found: _path(at, found, folder),
        "metres": lambda at, found: _path(at, found, folder),
        "schedule": _schedule,
        "left_s": lambda at, found: _number(at, found, 1, math.inf),
        "min_size": lambda at, found: _number(at, found, 0, 1),
        "classify": lambda at, found: _path(at, found, folder),
        "shadow": lambda at, found: _number(at, found, SMALLEST_SHARE, 1),
        "sinks": lambda at, found: _known(at, _texts(at, found), sinks),
    }
    _refuse_unknown(where, table, readers)
    if "source" not in table:
        raise _Wrong(where, "key `source` is missing, expected an address or a path")
    values = {key: readers[key]((*where, key), found) for key, found in table.items()}
    if "background" in values and "seconds" in values:
        raise _Wrong((*where, "seconds"), "has no effect with `background`", "leave it out")
    camera = CameraConfig(name=name, **values)
    return camera if camera.build else replace(camera, build=build)


def _refuse_unknown(where: Where, table: Mapping[str, Any], known: Any) -> None:
    for key in table:
        if key not in known:
            raise _Wrong((*where, key), "unknown key", f"known: {', '.join(known)}")


def _source(where: Where, found: Any, folder: Path) -> str:
    text = _text(where, found)
    if "://" in text and not text.lower().startswith("file://"):
        return text
    return str(folder / path_of(text))


def _text(where: Where, found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise _Wrong(where, f"{_shown(found)}, expected a text")
    return found


def _range(where: Where, found: Any) -> str:
    text = _text(where, found)
    if text != AUTO:
        try:
            parse_range(text)
        except UsageError:
            raise _Wrong(
                where,
                f"{_shown(found)}, expected LOW:HIGH in 0 to {MOST}, or {AUTO}",
                'range = "7000:8000"',
            ) from None
    return text


def _path(where: Where, found: Any, folder: Path) -> Path:
    return folder / _text(where, found)


def _flag(where: Where, found: Any) -> bool:
    if not isinstance(found, bool):
        raise _Wrong(where, f"{_shown(found)}, expected true or false")
    return found


def _number(where: Where, found: Any, low: float, high: float) -> float:
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high:
        most = "" if math.isinf(high) else f" to {high:g}"
        example = low if math.isinf(high) else high
        raise _Wrong(
            where,
            f"{_shown(found)}, expected a number from {low:g}{most}",
            f"as in {where[-1]} = {example:g}",
        )
    return float(found)


def _texts(where: Where, found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _Wrong(where, f"{_shown(found)}, expected a list of texts")
    return tuple(found)


def _schedule(where: Where, found: Any) -> tuple[str, ...]:
    texts = _texts(where, found)
    for text in texts:
        try:
            parse_hours(text)
        except UsageError as error:
            raise _Wrong(where, error.message) from None
    return texts


def _known(where: Where, names: tuple[str, ...], known: Mapping[str, Any]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise _Wrong(where, f"no sink `{name}`", f"sinks: {', '.join(known) or 'none'}")
    return names


def _shown(value: Any) -> str:
    text = redact_address(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
