"""OpenTelemetry traces of platform and engine.

Only the API is imported here, whose own no-op stands in where no endpoint is configured; the SDK
and the exporter are loaded for an endpoint alone. There is no global provider, so that nothing
else of the process sends its spans along.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracerProvider, Span, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from promptops_providers.protocol import PromptVersion

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
CONTENT = "PROMPTOPS_TRACE_CONTENT"

# What a stop gives to the spans that are not sent yet.
_FLUSH_SECONDS = 3.0
_YES = ("1", "true", "yes", "on")
_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Tracing:
    """Makes spans; `content` says that they may hold texts of prompts and answers."""

    provider: TracerProvider
    content: bool = False
    flush: Callable[[], None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether spans are exported."""
        return self.flush is not None

    def tracer(self) -> Tracer:
        """What starts spans."""
        return self.provider.get_tracer("promptops")

    async def close(self) -> None:
        """Send what is left, within a few seconds. Harmless when repeated."""
        if self.flush is None:
            return
        ended = threading.Event()
        # Not of the loop's pool, which a program that ends waits for: a target that is away may
        # take longer than we do.
        threading.Thread(target=_flush, args=(self.flush, ended), daemon=True).start()
        await asyncio.to_thread(ended.wait, _FLUSH_SECONDS)


NO_TRACING = Tracing(NoOpTracerProvider())


def open_tracing(endpoint: str | None, *, service: str, content: bool = False) -> Tracing:
    """Traces that go to the OTLP/HTTP `endpoint`, the base address before `/v1/traces`; without
    one, none. Headers, certificates, sampling and resource attributes are the SDK's `OTEL_*`
    variables."""
    if not endpoint:
        return NO_TRACING
    from promptops_flows.telemetry.trace_export import exporting  # noqa: PLC0415  not loaded in vain

    provider = exporting(endpoint, service=service)
    return Tracing(provider, content, provider.shutdown)


def tracing_of(environment: Mapping[str, str], *, service: str) -> Tracing:
    """As the variables of a process say."""
    content = environment.get(CONTENT, "").lower() in _YES
    return open_tracing(environment.get(ENDPOINT), service=service, content=content)


def current_traceparent() -> str | None:
    """The span that is under way here, as the header `traceparent`; None outside of any."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The context of somebody else's span; an empty one for None, or for what is no such header."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def fail(span: Span, error_type: str, sentence: str | None = None) -> None:
    """Mark a span as failed; `sentence` must hold no secret."""
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR, sentence)


def prompt_attributes(prompt: PromptVersion | None) -> dict[str, str]:
    """How the conventions for generative AI name a prompt of the registry; its key alone may stand
    for one in each environment."""
    if prompt is None:
        return {}
    attributes = {
        "gen_ai.prompt.name": prompt.key,
        "gen_ai.prompt.version": prompt.version,
        "promptops.prompt.environment": prompt.env,
    }
    return attributes | ({"promptops.prompt.variant": prompt.variant} if prompt.variant else {})


def prompts_attributes(
    prompts: Sequence[PromptVersion],
) -> Mapping[str, str | Sequence[str]]:
    """As of the one prompt; of several, which the conventions have no names for, four lists in one
    order."""
    if len(prompts) <= 1:
        return prompt_attributes(prompts[0] if prompts else None)
    return {
        "promptops.prompts.names": [prompt.key for prompt in prompts],
        "promptops.prompts.versions": [prompt.version for prompt in prompts],
        "promptops.prompts.environments": [prompt.env for prompt in prompts],
        "promptops.prompts.variants": [prompt.variant or "" for prompt in prompts],
    }


def name_prompt(prompt: PromptVersion | None) -> None:
    """Have the span that is under way here name the prompt."""
    trace.get_current_span().set_attributes(prompt_attributes(prompt))


def within(span: Span) -> Context:
    """The context in which `span` is the parent."""
    return trace.set_span_in_context(span, Context())


def _flush(flush: Callable[[], None], ended: threading.Event) -> None:
    try:
        flush()
    finally:
        ended.set()
