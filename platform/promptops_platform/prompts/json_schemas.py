"""JSON Schemas that callers send and that were stored: judged before anything is done with them.

What is read off the wire is bounded by its size alone, which costs little; judging follows in the
route, on a thread for large ones.
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

# Of the schemas of one agent together.
MOST_CHARACTERS = 262_144
# Judging so much takes a few milliseconds; more is judged on a thread.
QUICK_CHARACTERS = 4_000


def size_of(schema: object) -> int:
    """Its characters as JSON; raises SchemaRefusedError for what is nested without end."""
    try:
        return len(json.dumps(schema, ensure_ascii=False))
    except RecursionError as error:
        raise SchemaRefusedError("is nested too deep; define inner schemas under $defs") from error


def bounded(schema: object) -> object:
    """Raises SchemaRefusedError for a schema that is too long to be looked at."""
    size = size_of(schema)
    if size > MAX_SCHEMA_CHARACTERS:
        raise SchemaRefusedError(
            f"has {size:,} characters as JSON, at most {MAX_SCHEMA_CHARACTERS:,} are taken; "
            "shorten it"
        )
    return schema


# A JSON Schema as it was sent, which the route has to judge.
SentSchema = Annotated[dict[str, Any], BeforeValidator(bounded)]


async def judge_schemas(schemas: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises BadRequest for the first schema that can't be used; the names begin the sentence."""
    if sum(map(size_of, schemas.values())) <= QUICK_CHARACTERS:
        _judge(schemas)
    else:
        leave_loop_share()
        await asyncio.to_thread(_judge, schemas)


def _judge(schemas: Mapping[str, Mapping[str, Any]]) -> None:
    for name, schema in schemas.items():
        try:
            bounded(schema)
            refuse_unprintable_inside(schema)
            check_schema(schema)
        except ValueError as error:
            raise BadRequest(f"{name} {error}") from error
