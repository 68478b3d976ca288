"""JSON Schemas that users write: for the arguments of tools and for structured answers.

Draft 2020-12, less what could do harm: a `$ref` stays inside its schema, and a `pattern` is matched
in linear time, which look-around and back-references don't allow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, core_schema
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

MAX_SCHEMA_CHARACTERS = 65_536
_SENTENCE_CHARACTERS = 300
_MOST_FINDINGS = 5
_REFERENCES = ("$ref", "$dynamicRef")


class SchemaRefusedError(ValueError):
    """A schema that can't be used; the text says why and what to do."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `SchemaRefusedError` for what is no JSON Schema, or no harmless one."""
    length = len(json.dumps(schema, ensure_ascii=False))
    if length > MAX_SCHEMA_CHARACTERS:
        raise SchemaRefusedError(
            f"has {length:,} characters as JSON, at most {MAX_SCHEMA_CHARACTERS:,} are taken; "
            "shorten it"
        )
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise SchemaRefusedError(f"is no JSON Schema: {_sentence(error)}") from error
    for name, value in _keywords(schema):
        if name in _REFERENCES and isinstance(value, str) and not value.startswith("#"):
            raise SchemaRefusedError(
                f"refers to {value!r}, which is not part of it; refer to its own $defs by #/$defs/…"
            )
        if name in _REFERENCES and isinstance(value, str):
            _check_reference(schema, value)
        if name == "pattern" and isinstance(value, str):
            _check_pattern(value)
        if name == "patternProperties":
            raise SchemaRefusedError(
                "has patternProperties, which no vendor takes; name the properties, or use "
                "additionalProperties"
            )


def findings(schema: Mapping[str, Any], value: object) -> list[str]:
    """What of the value disagrees with a schema that was checked, a sentence each; none when it
    fits."""
    validator: Validator = _Validator(schema, registry=Registry())
    try:
        found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
    except RecursionError:
        return ["the value can't be checked: the schema refers to itself without end"]
    return [_sentence(error) for error in found[:_MOST_FINDINGS]]


def _keywords(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name and value in the schema, at any depth."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield from each.items()
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _sentence(error: ValidationError | SchemaError) -> str:
    where = ".".join(str(part) for part in error.path)
    said = f"{where}: {error.message}" if where else error.message
    return said if len(said) <= _SENTENCE_CHARACTERS else f"{said[:_SENTENCE_CHARACTERS]}…"


def _check_reference(schema: Mapping[str, Any], reference: str) -> None:
    resource = DRAFT202012.create_resource(schema)
    try:
        Registry().with_resource("", resource).resolver().lookup(reference)
    except Unresolvable as error:
        raise SchemaRefusedError(
            f"refers to {reference!r}, which leads nowhere; define it under $defs"
        ) from error


def _check_pattern(pattern: str) -> None:
    try:
        _compiled(pattern)
    except PatternError as error:
        raise SchemaRefusedError(
            f"has the pattern {pattern!r}, which can't be matched in linear time or is no regular "
            "expression; write it without look-around and back-references"
        ) from error


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _pattern(
    _validator: Validator, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compiled(pattern).isinstance_python(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})
