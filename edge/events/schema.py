"""docs/event.schema.json: python -m edge.events.schema > docs/event.schema.json"""

from __future__ import annotations

import json
from typing import Any

from edge.events.event import KINDS, PHASES, SCHEMA

Json = dict[str, Any]


def _or_null(kind: str, **more: Any) -> Json:
    return {"type": [kind, "null"], **more}


SHARE = {"minimum": 0, "maximum": 1}
PROPERTIES: dict[str, Json] = {
    "schema": {"const": SCHEMA},
    "id": {"type": "string", "minLength": 1},
    "incident": {"type": "string", "minLength": 1},
    "kind": {"enum": list(KINDS)},
    "camera": {"type": "string", "minLength": 1},
    "time": {"type": "string", "format": "date-time"},
    "source_time": {"type": "number"},
    "phase": {"enum": list(PHASES)},
    "track": _or_null("integer", minimum=1),
    "zone": _or_null("string"),
    "direction": _or_null("string"),
    "count": _or_null("integer", minimum=0),
    "box": _or_null("array", items={"type": "integer"}, minItems=4, maxItems=4),
    "foot": _or_null("array", items={"type": "number"}, minItems=2, maxItems=2),
    "depth": _or_null("number", **SHARE),
    "distance_m": _or_null("number", minimum=0),
    "confidence": _or_null("number", **SHARE),
    "duration_s": _or_null("number", minimum=0),
    "size": _or_null("array", items={"type": "integer", "minimum": 1}, minItems=2, maxItems=2),
    "label": _or_null("string"),
    "label_score": _or_null("number"),
    "text": _or_null("string"),
    "snapshot": _or_null("string"),
    "clip": _or_null("string"),
}


def schema() -> Json:
    """The JSON schema (draft 7) of an event."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "an event of edge watch",
        "type": "object",
        "required": list(PROPERTIES),
        "additionalProperties": False,
        "properties": PROPERTIES,
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
