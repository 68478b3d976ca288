"""The usage and cost of a step, including the failed calls of a fallback chain."""

from datetime import datetime

from promptops_flows.protocol.engine_client import StepFinished
from promptops_platform.runlog.prices import Charge, PriceTable
from promptops_providers.answers.json_values import MAX_COUNT
from promptops_providers.protocol import Usage

NOTHING = Usage(0, 0, estimated=False)


def step_usage(step: StepFinished) -> Usage:
    """Return the usage of all calls, capped at what one call may report, so that sums fit into the
    database."""
    used = [usage for usage in step.usages if usage is not None] or [NOTHING]
    return Usage(
        min(sum(usage.prompt_tokens for usage in used), MAX_COUNT),
        min(sum(usage.output_tokens for usage in used), MAX_COUNT),
        estimated=any(usage.estimated for usage in used),
        cached_tokens=min(sum(usage.cached_tokens for usage in used), MAX_COUNT),
    )


def step_charge(
    prices: PriceTable, step: StepFinished, provider: str, model: str, at: datetime
) -> Charge:
    """Return the price of the last call and the cost of all calls; unknown if that of one is."""
    last = Charge(0, None)
    if provider:
        last = prices.charge(provider, model, step.usage, at, kind=step.provider_kind or "")
    before = [
        prices.charge(call.provider, call.model, call.usage, at, kind=call.kind)
        for call in step.spent
    ]
    nanos = [charge.nanos for charge in (last, *before)]
    return Charge(None if None in nanos else sum(filter(None, nanos)), last.price)
