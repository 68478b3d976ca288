"""Reads server-sent events as they come."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx


class SentEvent(NamedTuple):
    name: str
    data: Any


async def events_of(answer: httpx.Response) -> AsyncIterator[SentEvent]:
    """The events of an answer that is being streamed; comments are passed over."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield SentEvent(name, json.loads(value))


class RunStreamEvent(NamedTuple):
    """An event of a run, by which a stream may be resumed where it has an id."""

    name: str
    data: Any
    id: str | None


async def run_events_of(answer: httpx.Response) -> AsyncIterator[RunStreamEvent]:
    """As `events_of`, with ids."""
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
