"""docs/report.schema.json, generated from the report's dataclasses.

python -m edge.benchmarks.reporting.schema > docs/report.schema.json
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from edge.benchmarks.reporting.codec import left_out, optional
from edge.benchmarks.reporting.report import Report

PRIMITIVES = {float: "number", int: "integer", str: "string", bool: "boolean"}


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 7) of report.json."""
    definitions: dict[str, Any] = {}
    _of(Report, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "report.json of edge bench",
        **definitions.pop(Report.__name__),
        "definitions": dict(sorted(definitions.items())),
    }


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; those of dataclasses are added to `definitions`."""
    if kind is Any:
        return {}
    if kind in PRIMITIVES:
        return {"type": PRIMITIVES[kind]}
    if (inner := optional(kind)) is not None:
        return {"anyOf": [_of(inner, definitions), {"type": "null"}]}
    if is_dataclass(kind):
        return _of_fields(kind, definitions)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    if origin is tuple:
        items = {"type": "array", "items": _of(arguments[0], definitions)}
        count = len(arguments)
        return items if arguments[-1] is ... else items | {"minItems": count, "maxItems": count}
    raise TypeError(f"no schema for {kind}")


def _of_fields(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    reference = {"$ref": f"#/definitions/{kind.__name__}"}
    if kind.__name__ in definitions:
        return reference
    definitions[kind.__name__] = {}
    hints = get_type_hints(kind)
    properties = {
        field.name: _of(
            optional(hints[field.name]) if left_out(field) else hints[field.name], definitions
        )
        for field in fields(kind)
    }
    definitions[kind.__name__] = {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "required": [field.name for field in fields(kind) if not left_out(field)],
        "properties": properties,
    }
    return reference


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
