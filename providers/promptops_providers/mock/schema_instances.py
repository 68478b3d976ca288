"""The least value that a JSON Schema accepts: what the mock provider answers and calls tools with.

Only what the schema requires is filled in, always with the same values. `pattern`, `not`, `if` and
references to other documents are passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import chain, islice, repeat
from typing import Any

JsonSchema = Mapping[str, Any]

MAX_STEPS = 20_000
MAX_CHARACTERS = 262_144
_DEEPEST = 20
_CHOICES = ("anyOf", "oneOf")
_MERGED = ("properties", "required")
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


class InstanceTooLargeError(ValueError):
    """The value would pass a limit; the text says which."""


class InstanceBudget:
    """What is left of the limits, for all values that are made with it."""

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._characters = MAX_CHARACTERS

    def spend(self, steps: int, characters: int = 0) -> None:
        """Asked before the work is done; raises `InstanceTooLargeError`."""
        self._steps -= steps
        self._characters -= characters
        if self._steps < 0:
            raise InstanceTooLargeError(
                f"the least value that the schema accepts takes more than {MAX_STEPS:,} steps to "
                "make, which is the limit; require fewer items and properties"
            )
        if self._characters < 0:
            raise InstanceTooLargeError(
                f"the least value that the schema accepts has more than {MAX_CHARACTERS:,} "
                "characters, which is the limit; lower minItems and minLength"
            )


def least_instance(schema: JsonSchema, budget: InstanceBudget | None = None) -> Any:
    """Strings are named for the property that they fill; raises `InstanceTooLargeError`."""
    return _Maker(schema, budget or InstanceBudget()).value_for(schema, "text", 0)


class _Maker:
    def __init__(self, root: JsonSchema, budget: InstanceBudget) -> None:
        self._root = root
        self._budget = budget

    def value_for(self, schema: Any, name: str, depth: int) -> Any:
        self._budget.spend(1, 1)
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        schema = self._plain(schema, depth)
        if "const" in schema:
            return self._copied(schema["const"])
        if schema.get("enum"):
            return self._copied(schema["enum"][0])
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return [self.value_for(item, name, depth + 1) for item in _items(schema)]
        return self._scalar(schema, kind, name)

    def _object(self, schema: JsonSchema, depth: int) -> dict[str, Any]:
        properties, made = schema.get("properties", {}), {}
        for key in schema.get("required", ()):
            self._budget.spend(1, len(key))
            made[key] = self.value_for(properties.get(key, {}), key, depth + 1)
        return made

    def _copied(self, value: Any) -> Any:
        size = len(json.dumps(value, default=str))
        self._budget.spend(1 + size // 100, size)
        return value

    def _scalar(self, schema: JsonSchema, kind: str, name: str) -> Any:
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        if kind != "string":
            return True if kind == "boolean" else None
        text = _FORMATS.get(schema.get("format", ""), name)
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(text))
        self._budget.spend(1, max(int(least), len(text)))
        return text.ljust(int(least), "x")[: int(max(least, most))]

    def _plain(self, schema: JsonSchema, depth: int) -> JsonSchema:
        """Without references and combinations: the first choice, and all that must hold
        together."""
        self._budget.spend(1 + len(schema) // 10)
        if depth > _DEEPEST:
            return schema
        parts = [self._referred(schema["$ref"])] if "$ref" in schema else []
        parts += [schema[choice][0] for choice in _CHOICES if schema.get(choice)]
        parts += schema.get("allOf", ())
        merged: dict[str, Any] = {
            key: value
            for key, value in schema.items()
            if key not in ("$ref", "anyOf", "oneOf", "allOf")
        }
        for part in parts:
            if isinstance(part, Mapping):
                merged = self._merged(merged, self._plain(part, depth + 1))
        return merged

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return {}
        schema: Any = self._root
        parts = reference.removeprefix("#").split("/")[1:]
        self._budget.spend(1 + len(parts) // 10)
        for part in parts:
            key = part.replace("~1", "/").replace("~0", "~")
            schema = schema.get(key, {}) if isinstance(schema, Mapping) else {}
        return schema

    def _merged(self, first: JsonSchema, second: JsonSchema) -> dict[str, Any]:
        sizes = [len(part.get(keyword, ())) for part in (first, second) for keyword in _MERGED]
        self._budget.spend(1 + (len(first) + len(second) + sum(sizes)) // 10)
        properties = {**second.get("properties", {}), **first.get("properties", {})}
        required = dict.fromkeys((*first.get("required", ()), *second.get("required", ())))
        merged = {**second, **first}
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = list(required)
        return merged


def _kind(schema: JsonSchema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema or "required" in schema else "string"


def _items(schema: JsonSchema) -> Iterator[Any]:
    items = chain(schema.get("prefixItems", ()), repeat(schema.get("items", {})))
    return islice(items, int(min(schema.get("minItems", 0), MAX_STEPS + 1)))


def _number(schema: JsonSchema, *, whole: bool) -> float:
    try:
        return _number_in_bounds(schema, whole=whole)
    except (OverflowError, ValueError):
        # Of bounds so far apart that their quotient is no number.
        return 0


def _number_in_bounds(schema: JsonSchema, *, whole: bool) -> float:
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
