"""Sums of runs in responses."""

from typing import Any

from pydantic import BaseModel, Field

from promptops_platform.http.examples import example


class LatencyPercentiles(BaseModel):
    """Milliseconds, each within 5 %; null without runs."""

    model_config = example(p50=57.31, p95=92.3, p99=92.3)

    p50: float | None
    p95: float | None
    p99: float | None


EXAMPLE_FIGURES: dict[str, Any] = {
    "total": 8,
    "ok": 7,
    "error": 1,
    "prompt_tokens": 96,
    "output_tokens": 272,
    "calls": 8,
    "cached_tokens": 0,
    "usage_estimated": 8,
    "cost_usd": 0.0,
    "cost_unknown": 0,
    "latency_ms": {"p50": 57.31, "p95": 92.3, "p99": 92.3},
}


class RunFigures(BaseModel):
    """Sums over runs that have ended. A run counts for the provider and model that it ended with;
    tokens and cost count for those that were called."""

    model_config = example(**EXAMPLE_FIGURES)

    total: int
    ok: int
    error: int
    prompt_tokens: int
    output_tokens: int
    calls: int = Field(description="Number of model calls.")
    cached_tokens: int
    usage_estimated: int = Field(description="Number of runs with partly estimated usage.")
    cost_usd: float = Field(description="Dollars, without calls of unknown price.")
    cost_unknown: int = Field(description="Number of runs whose total cost isn't known.")
    latency_ms: LatencyPercentiles
