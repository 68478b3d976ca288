"""Checks of JSON Schemas, both those that callers send and stored ones.

Parsing a request checks only the size of a schema, which is cheap; the route checks the schema
itself, on a thread if it is large.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from promptops_flows.json_schemas import SchemaRefusedError, check_schema
from promptops_flows.json_schemas.limits import MAX_SCHEMA_CHARACTERS
from promptops_platform.errors import BadRequest
from promptops_platform.field_types import refuse_unprintable_inside
from promptops_platform.http.loop_share import leave_loop_share

# All schemas of one agent together.
MOST_CHARACTERS = 262_144
# Checking this much takes a few milliseconds; more is checked on a thread.
QUICK_CHARACTERS = 4_000


def size_of(schema: object) -> int:
    """Return the schema's length as JSON, in characters; raises SchemaRefusedError if it is nested
    too deeply to be encoded."""
    try:
        return len(json.dumps(schema, ensure_ascii=False))
    except RecursionError as error:
        raise SchemaRefusedError(
            "is nested too deeply; define inner schemas under $defs"
        ) from error


def bounded(schema: object) -> object:
    """Return the schema; raises SchemaRefusedError if it is too long to be checked."""
    size = size_of(schema)
    if size > MAX_SCHEMA_CHARACTERS:
        raise SchemaRefusedError(
            f"has {size:,} characters as JSON, at most {MAX_SCHEMA_CHARACTERS:,} are allowed; "
            "shorten it"
        )
    return schema


# A JSON Schema as it was sent; the route has to check it with `check_schemas`.
SentSchema = Annotated[dict[str, Any], BeforeValidator(bounded)]


async def check_schemas(schemas: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises BadRequest for the first invalid schema; its name begins the message."""
    if sum(map(size_of, schemas.values())) <= QUICK_CHARACTERS:
        _check(schemas)
    else:
        leave_loop_share()
        await asyncio.to_thread(_check, schemas)


def _check(schemas: Mapping[str, Mapping[str, Any]]) -> None:
    for name, schema in schemas.items():
        try:
            bounded(schema)
            refuse_unprintable_inside(schema)
            check_schema(schema)
        except ValueError as error:
            raise BadRequest(f"{name} {error}") from error
