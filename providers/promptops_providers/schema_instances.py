"""The least value that a JSON Schema accepts: what the mock provider answers and calls tools with.

Only what the schema requires is filled in, always with the same values. `pattern`, `not`, `if` and
references to other documents are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

JsonSchema = Mapping[str, Any]

_DEEPEST = 20
_FORMATS: Mapping[str, str] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "ada@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def least_instance(schema: JsonSchema) -> Any:
    """Strings are named for the property that they fill."""
    return _instance(schema, schema, "text", 0)


def _instance(schema: Any, root: JsonSchema, name: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    schema = _plain(schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = _kind(schema)
    if kind == "object":
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        return {key: _instance(properties.get(key, {}), root, key, depth + 1) for key in required}
    if kind == "array":
        return _array(schema, root, name, depth)
    return _scalar(schema, kind, name)


def _scalar(schema: JsonSchema, kind: str, name: str) -> Any:
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "string":
        return _string(schema, name)
    return True if kind == "boolean" else None


def _plain(schema: JsonSchema, root: JsonSchema, depth: int) -> JsonSchema:
    """Without references and combinations: the first choice, and all that must hold together."""
    if depth > _DEEPEST:
        return schema
    parts = [_referred(schema["$ref"], root)] if "$ref" in schema else []
    parts += [schema[choice][0] for choice in ("anyOf", "oneOf") if schema.get(choice)]
    parts += schema.get("allOf", ())
    merged: dict[str, Any] = {
        key: value
        for key, value in schema.items()
        if key not in ("$ref", "anyOf", "oneOf", "allOf")
    }
    for part in parts:
        plain = _plain(part, root, depth + 1) if isinstance(part, Mapping) else {}
        properties = {**plain.get("properties", {}), **merged.get("properties", {})}
        required = [*merged.get("required", ()), *plain.get("required", ())]
        merged = {**plain, **merged}
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = list(dict.fromkeys(required))
    return merged


def _referred(reference: Any, root: JsonSchema) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _kind(schema: JsonSchema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema or "required" in schema else "string"


def _array(schema: JsonSchema, root: JsonSchema, name: str, depth: int) -> list[Any]:
    first = schema.get("prefixItems", ())
    count = schema.get("minItems", 0)
    each = [*first[:count], *[schema.get("items", {})] * (count - len(first))]
    return [_instance(item, root, name, depth + 1) for item in each]


def _number(schema: JsonSchema, *, whole: bool) -> float:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None:
        value = math.ceil(low / step) * step
        if value <= schema.get("exclusiveMinimum", -math.inf):
            value = _above(low, high, step, whole=whole)
    else:
        value = 0 if high is None or high > 0 else math.floor(high / step) * step
        if value >= schema.get("exclusiveMaximum", math.inf):
            value -= step
    if high is not None and value > high and not whole and "multipleOf" not in schema:
        value = low
    return int(value) if whole else value


def _above(low: float, high: float | None, step: float, *, whole: bool) -> float:
    value = math.floor(low / step) * step + step
    if high is None or value < high or whole:
        return value
    return (low + high) / 2


def _string(schema: JsonSchema, name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), name)
    least, most = schema.get("minLength", 0), schema.get("maxLength", len(text))
    return text.ljust(least, "x")[: max(least, most)]
