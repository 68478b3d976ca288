"""Reads server-sent events while they arrive."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx


class SentEvent(NamedTuple):
    name: str
    data: Any


async def events_of(answer: httpx.Response) -> AsyncIterator[SentEvent]:
    """The events of a streamed response; comments are skipped."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield SentEvent(name, json.loads(value))


class RunStreamEvent(NamedTuple):
    """An event of a run; a stream can be resumed after an event with an id."""

    name: str
    data: Any
    id: str | None


async def run_events_of(answer: httpx.Response) -> AsyncIterator[RunStreamEvent]:
    """Like `events_of`, with ids."""
    name, event_id = "", None
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            event_id = value
        elif field == "event":
            name = value
        elif field == "data":
            yield RunStreamEvent(name, json.loads(value), event_id)
            event_id = None
