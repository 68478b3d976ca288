"""The total cost of many outputs."""

from __future__ import annotations

from collections.abc import Iterable

from promptops_flows.steps.context import ModelAccess, StepOutput
from promptops_providers.protocol import SpentCall, Usage


def total_spent(outputs: Iterable[StepOutput], access: ModelAccess) -> tuple[SpentCall, ...]:
    """All calls of the outputs, summed up per model."""
    calls = [call for output in outputs for call in calls_of(output, access)]
    return merged(calls)


def calls_of(output: StepOutput, access: ModelAccess) -> list[SpentCall]:
    """The calls of one output."""
    calls = list(output.spent)
    if output.usage is not None and output.provider is not None:
        kind = access.kind_of(output.provider)
        calls.append(SpentCall(output.provider, kind, output.model or "", output.usage))
    return calls


def merged(calls: Iterable[SpentCall]) -> tuple[SpentCall, ...]:
    """The calls, summed up per model."""
    sums: dict[tuple[str, str, str], Usage] = {}
    for call in calls:
        key = (call.provider, call.kind, call.model)
        sums[key] = _sum(sums[key], call.usage) if key in sums else call.usage
    return tuple(SpentCall(*key, usage) for key, usage in sums.items())


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.output_tokens + other.output_tokens,
        estimated=one.estimated or other.estimated,
        cached_tokens=one.cached_tokens + other.cached_tokens,
    )
