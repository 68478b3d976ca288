"""Checks whether a schema can be used, once when it is saved or sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas.keywords import (
    REFERENCES,
    Where,
    inner_schemas,
    is_definition,
    wrong_value,
)
from promptops_flows.json_schemas.limits import (
    MAX_PATTERN_SIZE,
    SchemaRefusedError,
    measure_schema,
)
from promptops_flows.json_schemas.patterns import compiled
from promptops_flows.json_schemas.references import (
    References,
    check_expanded_size,
    check_in_place,
)

_SENTENCE_CHARACTERS = 300


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `SchemaRefusedError` for an invalid JSON Schema, or one that exceeds a limit; the work
    is linear in the schema's size."""
    measure_schema(schema)
    check = _SchemaCheck(schema)
    check.check_keywords()
    check.check_references()


class _SchemaCheck:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        # By identity: the schemas that each schema applies to the same value, and all that it
        # applies.
        self._in_place: dict[int, tuple[int, list[int]]] = {}
        self._applied: dict[int, tuple[int, list[int]]] = {}
        self._referring: list[tuple[int, str]] = []
        self._pattern_size = 0
        self._pending: list[tuple[Where, Any]] = [((), root)]

    def check_keywords(self) -> None:
        while self._pending:
            where, schema = self._pending.pop()
            if id(schema) in self._applied:
                continue
            if isinstance(schema, dict):
                self._check_schema(where, schema)
            elif not isinstance(schema, bool):
                raise _not_valid(where, "must be an object, true or false")
            else:
                self._in_place[id(schema)] = self._applied[id(schema)] = (1, [])

    def check_references(self) -> None:
        """Follow all references; their targets are schemas as well, wherever they are."""
        references = References(self._root)
        while self._referring:
            referring, self._referring = self._referring, []
            for node, reference in referring:
                target = references.target(reference)
                self._in_place[node][1].append(id(target))
                self._applied[node][1].append(id(target))
                self._pending.append(((reference,), target))
            self.check_keywords()
        check_in_place(self._in_place)
        check_expanded_size(self._applied)

    def _check_schema(self, where: Where, schema: dict[str, Any]) -> None:
        node = id(schema)
        self._in_place[node], self._applied[node] = (1, []), (1 + _own_values(schema), [])
        for keyword, value in schema.items():
            self._check_keyword(where, keyword, value)
            if keyword in REFERENCES:
                self._referring.append((node, value))
        for inner_where, inner, is_in_place in inner_schemas(schema):
            self._pending.append(((*where, *inner_where), inner))
            if is_definition(inner_where):
                continue
            self._applied[node][1].append(id(inner))
            if is_in_place:
                self._in_place[node][1].append(id(inner))

    def _check_keyword(self, where: Where, keyword: str, value: Any) -> None:
        wrong = wrong_value(keyword, value)
        if wrong is not None:
            raise _not_valid((*where, keyword), wrong)
        if keyword == "$id" and where:
            raise SchemaRefusedError(
                f"has an $id at {'.'.join(where)}; only the whole schema may have one, leave it out"
            )
        if keyword == "patternProperties":
            raise SchemaRefusedError(
                "has patternProperties, which no vendor supports; name the properties, or use "
                "additionalProperties"
            )
        if keyword == "pattern":
            self._pattern_size += compiled(value).programsize
            if self._pattern_size > MAX_PATTERN_SIZE:
                raise SchemaRefusedError(
                    f"has patterns of more than {MAX_PATTERN_SIZE:,} instructions together, which "
                    "is the limit; shorten them, or repeat less in them"
                )


def _own_values(schema: Mapping[str, Any]) -> int:
    """The approximate number of values in the schema, without the schemas in it."""
    return sum(len(value) if isinstance(value, list | dict) else 1 for value in schema.values())


def _not_valid(where: Where, wrong: str) -> SchemaRefusedError:
    sentence = f"is not a JSON Schema: {'.'.join(where)}: {wrong}"
    is_short = len(sentence) <= _SENTENCE_CHARACTERS
    return SchemaRefusedError(sentence if is_short else f"{sentence[:_SENTENCE_CHARACTERS]}…")
