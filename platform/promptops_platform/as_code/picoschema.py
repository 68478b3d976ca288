"""Converts Picoschema, the short form of schemas in dotprompt files, to JSON Schema.

The form is described at https://google.github.io/dotprompt/reference/picoschema/.
"""

from __future__ import annotations

import re
from typing import Any

from promptops_platform.as_code.yaml_text import FileError

_SCALARS = ("string", "number", "integer", "boolean", "null")
_JSON_TYPES = (*_SCALARS, "object", "array")
_NAME = re.compile(r"(?P<name>[^()?]*)(?P<optional>\?)?(?:\((?P<kind>\w+)(?:,\s*(?P<text>.*))?\))?")
_WILDCARD = "(*)"


def json_schema(schema: object) -> dict[str, Any]:
    """Return the JSON Schema for either form. Raises FileError."""
    if isinstance(schema, dict) and _is_json_schema(schema):
        return schema
    return _schema(schema)


def _is_json_schema(schema: dict[str, Any]) -> bool:
    return (
        schema.get("type") in _JSON_TYPES
        or "$ref" in schema
        or isinstance(schema.get("properties"), dict)
    )


def _schema(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, dict):
        return _object(value)
    raise FileError("a schema must be a type as `string`, or names with types")


def _scalar(text: str) -> dict[str, Any]:
    kind, _, description = (part.strip() for part in text.partition(","))
    if kind == "any":
        schema: dict[str, Any] = {}
    elif kind in _SCALARS:
        schema = {"type": kind}
    else:
        raise FileError(f"{kind!r} is not a type; use one of {', '.join(_SCALARS)} or any")
    return schema | ({"description": description} if description else {})


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    required: list[str] = []
    for name, value in fields.items():
        if name == _WILDCARD:
            schema["additionalProperties"] = _schema(value)
            continue
        match = _NAME.fullmatch(name)
        if match is None or not match["name"]:
            raise FileError(
                f"{name!r} is not the name of a field; write as in `age?` or `tags(array)`"
            )
        field = _field(match, value)
        schema["properties"][match["name"]] = _optional(field) if match["optional"] else field
        if not match["optional"]:
            required.append(match["name"])
    return schema | ({"required": required} if required else {})


def _field(match: re.Match[str], value: object) -> dict[str, Any]:
    description = {"description": match["text"]} if match["text"] else {}
    kind = match["kind"]
    if kind is None:
        return _schema(value)
    if kind == "array":
        return {"type": "array", "items": _schema(value)} | description
    if kind == "object" and isinstance(value, dict):
        return _object(value) | description
    if kind == "enum" and isinstance(value, list):
        return {"enum": value} | description
    raise FileError(
        f"{match[0]!r}: {kind!r} must be array, object with fields, or enum with a list"
    )


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        values = schema["enum"]
        return schema | {"enum": values if None in values else [*values, None]}
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema
