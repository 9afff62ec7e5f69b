"""Dataclasses to JSON and back, by their type hints.

A field whose default is None is left out of the JSON while it is None; any other None is null.
"""

from __future__ import annotations

import sys
import types
from dataclasses import Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def left_out(field: Field[Any]) -> bool:
    """Whether the field's key is absent where its value is None."""
    return field.default is None


def encode(value: Any) -> Any:
    """Return dataclasses, tuples and dictionaries as what `json.dumps` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        return {f.name: encode(v) for f, v in pairs if v is not None or not left_out(f)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], raw: Any) -> T:
    """Return `raw` as an instance of the dataclass `kind`; unknown keys are ignored.

    Raises:
        ValueError: A value has another type or a key is missing; the message has its path.
    """
    return cast(T, _decode(kind, raw, ""))


def optional(kind: Any) -> Any | None:
    """The other type of `X | None`; None where `kind` is no such union."""
    if get_origin(kind) in (Union, types.UnionType):
        others = [part for part in get_args(kind) if part is not type(None)]
        return others[0] if len(others) == 1 else None
    return None


def _decode(kind: Any, raw: Any, path: str) -> Any:
    if (inner := optional(kind)) is not None:
        return None if raw is None else _decode(inner, raw, path)
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_fields(kind, raw, path)
    if kind is Any:
        return raw
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _checked(raw in arguments, raw, path, f"one of {arguments}")
    if origin is dict:
        _checked(isinstance(raw, dict), raw, path, "an object")
        return {key: _decode(arguments[1], item, f"{path}.{key}") for key, item in raw.items()}
    if origin is tuple:
        _checked(isinstance(raw, list), raw, path, "an array")
        kinds = [arguments[0]] * len(raw) if arguments[-1] is ... else list(arguments)
        _checked(len(raw) == len(kinds), raw, path, f"an array of {len(kinds)}")
        return tuple(
            _decode(item_kind, item, f"{path}[{number}]")
            for number, (item_kind, item) in enumerate(zip(kinds, raw, strict=True))
        )
    if kind is float:
        number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
        large = isinstance(raw, int) and abs(raw) > sys.float_info.max
        return float(_checked(number and not large, raw, path, "a number"))
    fits = isinstance(raw, kind) and not (kind is int and isinstance(raw, bool))
    return _checked(fits, raw, path, f"of type {kind.__name__}")


def _decode_fields(kind: Any, raw: Any, path: str) -> Any:
    _checked(isinstance(raw, dict), raw, path, "an object")
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):
        if field.name in raw:
            values[field.name] = _decode(hints[field.name], raw[field.name], f"{path}.{field.name}")
        elif not left_out(field):
            raise ValueError(f"{path}.{field.name} is missing")
    return kind(**values)


def _checked(fits: bool, raw: Any, path: str, expected: str) -> Any:
    if not fits:
        text = repr(raw)
        found = text if len(text) <= 60 else text[:57] + "..."
        raise ValueError(f"{path or 'the document'} is {found}, expected {expected}")
    return raw
