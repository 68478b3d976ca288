"""JSON Schemas as Claude's structured outputs take them, which is a part of the language.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations,
2026-11: any object is closed, nothing is recursive, and most limits of values are unknown. Such
limits go into the description, where the model still reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from promptops_providers.answers.json_values import object_at, text_at

T = TypeVar("T")

_DEEPEST = 50
_AS_THEY_ARE = ("type", "title", "enum", "const", "default", "required", "$ref")
_BY_NAME = ("properties", "$defs", "definitions")
_IN_A_LIST = ("anyOf", "allOf", "oneOf")
_FORMATS = frozenset(
    {
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    }
)
# These change what fits in a way that no description makes good.
_NOT_EXPRESSIBLE = (
    "not",
    "if",
    "then",
    "else",
    "prefixItems",
    "contains",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
)
_SAYS_NOTHING = ("$schema", "$id", "$comment", "examples", "description", "additionalProperties")


class _NotExpressible(Exception):
    """Claude cannot be bound to this schema."""


def as_claude_takes_it(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """None for a schema that Claude cannot be bound to."""
    try:
        written = _written(schema, 0)
    except _NotExpressible:
        return None
    return None if _is_recursive(schema) else written


def _written(schema: Any, depth: int) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        raise _NotExpressible
    if any(keyword in schema for keyword in _NOT_EXPRESSIBLE) or _is_open(schema):
        raise _NotExpressible
    written = {keyword: schema[keyword] for keyword in _AS_THEY_ARE if keyword in schema}
    written |= _inner(schema, depth + 1)
    if _is_object(schema):
        written["additionalProperties"] = False
    if text_at(schema, "format") in _FORMATS:
        written["format"] = schema["format"]
    if schema.get("minItems") in (0, 1):
        written["minItems"] = schema["minItems"]
    return _described(schema, written)


def _inner(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for keyword in _BY_NAME:
        if keyword in schema:
            members = _checked(schema[keyword], dict).items()
            written[keyword] = {name: _written(inner, depth) for name, inner in members}
    for keyword in _IN_A_LIST:
        if keyword in schema:
            listed = [_written(inner, depth) for inner in _checked(schema[keyword], list)]
            written["anyOf" if keyword == "oneOf" else keyword] = listed
    if "items" in schema:
        written["items"] = _written(schema["items"], depth)
    return written


def _checked(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise _NotExpressible
    return value


def _described(schema: Mapping[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    lost = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in written and keyword not in _SAYS_NOTHING and keyword != "oneOf"
    }
    texts = [schema["description"]] if isinstance(schema.get("description"), str) else []
    if lost:
        texts.append(json.dumps(lost, default=str))
    return {**written, "description": " ".join(texts)} if texts else written


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object"
        or (isinstance(kind, list) and "object" in kind)
        or ("properties" in schema)
    )


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Whether it is meant to take properties that it does not name."""
    if "additionalProperties" in schema:
        return schema["additionalProperties"] is not False
    return _is_object(schema) and not schema.get("properties")


def _is_recursive(schema: Mapping[str, Any]) -> bool:
    """Whether a definition leads back to itself, or a reference out of the definitions."""
    leads_to = {
        f"#/{keyword}/{name}": _references(inner)
        for keyword in ("$defs", "definitions")
        for name, inner in object_at(schema, keyword).items()
    }
    if not _references(schema) <= leads_to.keys():
        return True
    # Take away, again and again, what leads nowhere any more: the rest goes round.
    led_from: dict[str, list[str]] = {name: [] for name in leads_to}
    for name, targets in leads_to.items():
        for target in targets:
            led_from[target].append(name)
    left = {name: len(targets) for name, targets in leads_to.items()}
    ended = [name for name, count in left.items() if count == 0]
    for name in ended:
        for before in led_from[name]:
            left[before] -= 1
            if left[before] == 0:
                ended.append(before)
    return len(ended) < len(leads_to)


def _references(value: Any) -> set[str]:
    references, pending = set(), [value]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            if isinstance(part.get("$ref"), str):
                references.add(part["$ref"])
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return references
