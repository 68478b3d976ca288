"""A stream, read to its end."""

from collections.abc import AsyncIterator

from promptops_providers.protocol import AdapterEvent, Completion, Progress, StreamEnd, TextDelta


async def collected(stream: AsyncIterator[AdapterEvent]) -> tuple[list[str], Completion]:
    """The pieces of text, none of them empty, and the completion with which the stream ends."""
    *deltas, end = [event async for event in stream if not isinstance(event, Progress)]
    assert isinstance(end, StreamEnd)
    pieces = [delta.text for delta in deltas if isinstance(delta, TextDelta) and delta.text]
    assert len(pieces) == len(deltas)
    return pieces, end.completion
