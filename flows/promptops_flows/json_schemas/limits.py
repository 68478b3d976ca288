"""The limits for the size of a schema, and their measurement, which stops at the limit."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_SCHEMA_CHARACTERS = 65_536
# Objects, lists, texts, numbers: every value in the schema's JSON.
MAX_SCHEMA_NODES = 10_000
MAX_SCHEMA_DEPTH = 100
# With every `$ref` replaced by its target.
MAX_EXPANDED_NODES = 100_000
# Nested references and combinations that apply to the same value.
MAX_IN_PLACE_DEPTH = 50
# The minimum sizes that a schema may require; more than any answer or call of a model has.
MAX_LEAST_COUNT = 10_000
MAX_LEAST_CHARACTERS = 100_000
# A larger number isn't an IEEE 754 double.
MAX_NUMBER = 10**308
MAX_PATTERN_CHARACTERS = 1_000
# Instructions of all compiled patterns together.
MAX_PATTERN_SIZE = 50_000


class SchemaRefusedError(ValueError):
    """A schema that can't be used; the message says why and what to do."""


def measure_schema(schema: object, *, nodes: int = MAX_SCHEMA_NODES) -> int:
    """The number of values in the schema; raises `SchemaRefusedError` as soon as a limit is
    exceeded.

    `nodes` is what remains of a limit that several schemas share.
    """
    pending, count, characters = [(schema, 0)], 0, 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if count > nodes:
            raise _too_many_nodes(nodes)
        if depth > MAX_SCHEMA_DEPTH:
            raise SchemaRefusedError(
                f"is nested more than {MAX_SCHEMA_DEPTH} deep; define inner schemas under $defs "
                "and refer to them"
            )
        if isinstance(value, dict):
            pending.extend((inner, depth + 1) for inner in value.values())
            characters += sum(map(len, value))
        elif isinstance(value, list):
            pending.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, str):
            characters += len(value)
        else:
            _check_number(value)
        _check_characters(characters)
    _check_characters(len(json.dumps(schema, ensure_ascii=False)))
    return count


def _too_many_nodes(left: int) -> SchemaRefusedError:
    if left < MAX_SCHEMA_NODES:
        return SchemaRefusedError(
            f"has more than {left:,} values, which is what remains of the limit for all schemas "
            "together; shorten them"
        )
    return SchemaRefusedError(f"has more than {left:,} values, which is the limit; shorten it")


def _check_characters(length: int) -> None:
    if length > MAX_SCHEMA_CHARACTERS:
        raise SchemaRefusedError(
            f"has {length:,} characters as JSON, at most {MAX_SCHEMA_CHARACTERS:,} are allowed; "
            "shorten it"
        )


def _check_number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > MAX_NUMBER:
        raise SchemaRefusedError("contains a number beyond ±1e308; use a smaller one")
