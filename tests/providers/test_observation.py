"""What observers of the gateway are told, whatever becomes of a call."""

import asyncio
from contextlib import aclosing

import pytest

from promptops_providers.errors import OverloadedError, ProviderError
from promptops_providers.gateway import Target
from promptops_providers.observation import Observers
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest

REQUEST = CompletionRequest.of_text("Hello")
OVERLOADED = Target("mock", "mock-fail-overloaded")


class Told:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> "Told":
        self.events.append(f"begin {request.model} {'stream' if streams else 'whole'}")
        return self

    def fell_back(self, target: Target, error: ProviderError) -> None:
        self.events.append(f"fell back from {target.model}: {error.code}")

    def first_piece(self) -> None:
        self.events.append("first piece")

    def answered(self, completion: Completion) -> None:
        self.events.append(f"answered by {completion.model}")

    def failed(self, error: ProviderError) -> None:
        self.events.append(f"failed: {error.code}")

    def abandoned(self) -> None:
        self.events.append("abandoned")


async def test_a_chain_is_told_call_by_call() -> None:
    observer = Told()
    async with Gateway(observer=observer) as gateway:
        await gateway.complete(REQUEST, [OVERLOADED, Target("mock", "mock-2")])
    assert observer.events == [
        "begin mock-fail-overloaded whole",
        "failed: overloaded",
        "fell back from mock-fail-overloaded: overloaded",
        "begin mock-2 whole",
        "answered by mock-2",
    ]


async def test_a_stream_is_told_with_its_first_piece() -> None:
    observer = Told()
    async with (
        Gateway(observer=observer) as gateway,
        aclosing(gateway.stream(REQUEST, [OVERLOADED, Target("mock")])) as events,
    ):
        async for _event in events:
            pass
    assert observer.events == [
        "begin mock-fail-overloaded stream",
        "failed: overloaded",
        "fell back from mock-fail-overloaded: overloaded",
        "begin  stream",
        "first piece",
        "answered by mock-1",
    ]


async def test_a_stream_that_is_left_was_abandoned() -> None:
    observer = Told()
    async with (
        Gateway(observer=observer) as gateway,
        aclosing(gateway.stream(REQUEST, [Target("mock")])) as events,
    ):
        await anext(events)
    assert observer.events[-2:] == ["first piece", "abandoned"]


async def test_a_call_that_is_cancelled_was_abandoned() -> None:
    observer = Told()
    async with Gateway(observer=observer) as gateway:
        asked = gateway.complete(REQUEST, [Target("mock", "mock-slow-60000ms")])
        call = asyncio.create_task(asked)
        while not observer.events:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert observer.events[-1] == "abandoned"


async def test_the_last_error_of_a_chain_is_no_fallback() -> None:
    observer = Told()
    async with Gateway(observer=observer) as gateway:
        with pytest.raises(OverloadedError):
            await gateway.complete(REQUEST, [OVERLOADED])
    assert observer.events == ["begin mock-fail-overloaded whole", "failed: overloaded"]


async def test_several_observers_are_told_the_same() -> None:
    first, second = Told(), Told()
    async with Gateway(observer=Observers(first, second)) as gateway:
        await gateway.complete(REQUEST, [OVERLOADED, Target("mock")])
        async for _event in gateway.stream(REQUEST, [Target("mock")]):
            pass
    assert first.events == second.events
    assert len(first.events) == 8
