"""Counts of model calls, and their transfer from the engine to the platform."""

from promptops_flows.protocol.engine_protocol import CallsCounted, CountCalls, decode, encode
from promptops_flows.telemetry.call_counts import CallCounts, listed
from promptops_providers.gateway import Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import CompletionRequest

REQUEST = CompletionRequest.of_text("Hello")


async def test_calls_and_fallbacks_are_counted_by_the_kind_of_provider() -> None:
    counts = CallCounts()
    chain = [Target("my own name", "mock-fail-rate-limited", kind="mock"), Target("mock")]
    async with Gateway(observer=counts) as gateway:
        await gateway.complete(REQUEST, chain)
        await gateway.complete(REQUEST, [Target("mock")])
    assert counts.calls == {("mock", "rate_limited"): 1, ("mock", "ok"): 2}
    assert counts.fallbacks == {("mock", "rate_limited"): 1}


def test_unknown_kinds_are_counted_together() -> None:
    counts = CallCounts()
    for number in range(50):
        counts.begin(REQUEST, Target(f"provider-{number}"), streams=False).abandoned()
    assert counts.calls == {("other", "abandoned"): 50}


def test_counts_survive_the_transfer_to_the_platform() -> None:
    counts = CallCounts()
    counts.begin(REQUEST, Target("mock"), streams=False).abandoned()
    sent = CallsCounted(listed(counts.calls), listed(counts.fallbacks))
    assert decode(encode(sent)) == CallsCounted([["mock", "abandoned", 1]], [])
    assert decode(encode(CountCalls())) == CountCalls()
