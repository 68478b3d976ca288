"""The keywords of JSON Schema draft 2020-12: their valid arguments, and the schemas in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from promptops_flows.json_schemas.limits import MAX_LEAST_CHARACTERS, MAX_LEAST_COUNT

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
REFERENCES = ("$ref", "$dynamicRef")
ANCHORS = ("$anchor", "$dynamicAnchor")

# A schema, a list of schemas, or an object of schemas by name. A schema that applies to the same
# value as the schema around it is in place.
_IN_PLACE = ("not", "if", "then", "else")
_BELOW = (
    *("additionalProperties", "contains", "contentSchema", "items", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_LISTS_IN_PLACE = ("allOf", "anyOf", "oneOf")
_LISTS_BELOW = ("prefixItems",)
_BY_NAME_IN_PLACE = ("dependentSchemas",)
_BY_NAME_BELOW = ("properties",)
_DEFINITIONS = ("$defs", "definitions")

_SINGLE = frozenset((*_IN_PLACE, *_BELOW))
_LISTS = frozenset((*_LISTS_IN_PLACE, *_LISTS_BELOW))
_BY_NAME = frozenset((*_BY_NAME_IN_PLACE, *_BY_NAME_BELOW, *_DEFINITIONS))

Where = tuple[str, ...]


def inner_schemas(schema: Mapping[str, Any]) -> Iterator[tuple[Where, Any, bool]]:
    """The position of each inner schema, the schema, and whether it applies in place; definitions
    apply nowhere by themselves."""
    for keyword, value in schema.items():
        if keyword in _SINGLE:
            yield (keyword,), value, keyword in _IN_PLACE
        elif keyword in _LISTS:
            for index, inner in enumerate(value):
                yield (keyword, str(index)), inner, keyword in _LISTS_IN_PLACE
        elif keyword in _BY_NAME:
            for name, inner in value.items():
                yield (keyword, name), inner, keyword in _BY_NAME_IN_PLACE


def is_definition(where: Where) -> bool:
    return where[0] in _DEFINITIONS


def wrong_value(keyword: str, value: Any) -> str | None:
    """What is wrong with a keyword's value; None if it is valid."""
    check = _CHECKS.get(keyword)
    return check(value) if check is not None else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str | None:
    return None if _is_number(value) else "must be a number"


def _step(value: Any) -> str | None:
    return None if _is_number(value) and value > 0 else "must be a number above 0"


def _count(value: Any) -> str | None:
    is_whole = _is_number(value) and value >= 0 and value == int(value)
    return None if is_whole else "must be a whole number, 0 or more"


def _at_most(limit: int) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        wrong = _count(value)
        if wrong is None and value > limit:
            return f"asks for {value:,}, and the limit is {limit:,}; use a smaller number"
        return wrong

    return check


def _type(value: Any) -> str | None:
    names = value if isinstance(value, list) else [value]
    if not names or not all(name in TYPES for name in names) or len(set(names)) < len(names):
        return f"must be one of {', '.join(TYPES)}, or a list of several"
    return None


def _names(value: Any) -> str | None:
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    if not is_list or len(set(value)) < len(value):
        return "must be a list of different texts"
    return None


def _names_by_name(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "must be an object"
    return next(filter(None, map(_names, value.values())), None)


def _of(kind: type, words: str) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, kind) else f"must be {words}"


def _filled_list(value: Any) -> str | None:
    return None if isinstance(value, list) and value else "must be a list that is not empty"


_text, _flag = _of(str, "a text"), _of(bool, "true or false")
_list, _object = _of(list, "a list"), _of(dict, "an object")

_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("maxLength", "maxItems", "maxProperties", "maxContains"), _count),
    **dict.fromkeys(("minItems", "minProperties", "minContains"), _at_most(MAX_LEAST_COUNT)),
    "minLength": _at_most(MAX_LEAST_CHARACTERS),
    "multipleOf": _step,
    "type": _type,
    "required": _names,
    "dependentRequired": _names_by_name,
    **dict.fromkeys(("enum", "examples"), _list),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _flag),
    **dict.fromkeys(("$schema", "$id", "$comment", "title", "description", "format"), _text),
    **dict.fromkeys(("contentEncoding", "contentMediaType", "pattern"), _text),
    **dict.fromkeys((*REFERENCES, *ANCHORS), _text),
    **dict.fromkeys(_LISTS, _filled_list),
    **dict.fromkeys(_BY_NAME, _object),
}
