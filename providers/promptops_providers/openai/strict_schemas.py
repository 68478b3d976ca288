"""Whether OpenAI's strict mode takes a JSON Schema, which it refuses with an error otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 10
_NESTED = ("items", "additionalProperties")
_NESTED_BY_NAME = ("properties", "$defs", "definitions")
_NESTED_IN_A_LIST = ("anyOf",)
# Keywords that strict mode does not know.
_REFUSED = (
    *("allOf", "oneOf", "not", "if", "then", "else"),
    *("dependentRequired", "dependentSchemas", "patternProperties", "propertyNames"),
    *("minProperties", "maxProperties", "unevaluatedProperties", "unevaluatedItems"),
    *("contains", "minContains", "maxContains", "uniqueItems", "prefixItems"),
)


def is_strict(schema: Mapping[str, Any], depth: int = 0) -> bool:
    """It is an object, and every object in it is closed and requires all of its properties."""
    if depth == 0 and schema.get("type") != "object":
        return False
    if depth > _DEEPEST or any(keyword in schema for keyword in _REFUSED):
        return False
    if (schema.get("type") == "object" or "properties" in schema) and not _is_closed(schema):
        return False
    return all(is_strict(inner, depth + 1) for inner in _inner(schema))


def _is_closed(schema: Mapping[str, Any]) -> bool:
    names = set(schema.get("properties", {}))
    return schema.get("additionalProperties") is False and names == set(schema.get("required", ()))


def _inner(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    nested = [schema.get(keyword) for keyword in _NESTED]
    for keyword in _NESTED_BY_NAME:
        members = schema.get(keyword)
        nested += members.values() if isinstance(members, Mapping) else ()
    for keyword in _NESTED_IN_A_LIST:
        listed = schema.get(keyword)
        nested += listed if isinstance(listed, list) else ()
    return [inner for inner in nested if isinstance(inner, Mapping)]
