"""OpenTelemetry traces of platform and engine.

Only the API is imported here; without an endpoint its no-op implementation is used, and the SDK and
the exporter aren't loaded. There is no global provider, so that nothing else in the process exports
its spans.
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

# How long a stop waits for spans that haven't been sent.
_FLUSH_SECONDS = 3.0
_YES = ("1", "true", "yes", "on")
_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Tracing:
    """Creates spans; `content` allows texts of prompts and answers in them."""

    provider: TracerProvider
    content: bool = False
    flush: Callable[[], None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether spans are exported."""
        return self.flush is not None

    def tracer(self) -> Tracer:
        """The tracer that starts spans."""
        return self.provider.get_tracer("promptops")

    async def close(self) -> None:
        """Send the remaining spans, within a few seconds. Idempotent."""
        if self.flush is None:
            return
        ended = threading.Event()
        # A thread of its own: a program waits at its end for those of the loop's pool, and an
        # unreachable target may take longer.
        threading.Thread(target=_flush, args=(self.flush, ended), daemon=True).start()
        await asyncio.to_thread(ended.wait, _FLUSH_SECONDS)


NO_TRACING = Tracing(NoOpTracerProvider())


def open_tracing(endpoint: str | None, *, service: str, content: bool = False) -> Tracing:
    """Traces that are sent to the OTLP/HTTP `endpoint`, the base address before `/v1/traces`; none
    without an endpoint. Headers, certificates, sampling and resource attributes are the SDK's
    `OTEL_*` variables."""
    if not endpoint:
        return NO_TRACING
    from promptops_flows.telemetry.trace_export import exporting  # noqa: PLC0415  not loaded in vain

    provider = exporting(endpoint, service=service)
    return Tracing(provider, content, provider.shutdown)


def tracing_of(environment: Mapping[str, str], *, service: str) -> Tracing:
    """The tracing that a process's environment variables configure."""
    content = environment.get(CONTENT, "").lower() in _YES
    return open_tracing(environment.get(ENDPOINT), service=service, content=content)


def current_traceparent() -> str | None:
    """The current span as the header `traceparent`; None outside of any span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The context of the caller's span; an empty one for None or an invalid header."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def fail(span: Span, error_type: str, sentence: str | None = None) -> None:
    """Mark a span as failed; `sentence` must not contain secrets."""
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR, sentence)


def prompt_attributes(prompt: PromptVersion | None) -> dict[str, str]:
    """The attributes for a registry prompt in the conventions for generative AI; its key may exist
    in each environment."""
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
    """The attributes for one prompt; for several prompts, which the conventions have no names for,
    four lists in the same order."""
    if len(prompts) <= 1:
        return prompt_attributes(prompts[0] if prompts else None)
    return {
        "promptops.prompts.names": [prompt.key for prompt in prompts],
        "promptops.prompts.versions": [prompt.version for prompt in prompts],
        "promptops.prompts.environments": [prompt.env for prompt in prompts],
        "promptops.prompts.variants": [prompt.variant or "" for prompt in prompts],
    }


def name_prompt(prompt: PromptVersion | None) -> None:
    """Set the prompt's attributes on the current span."""
    trace.get_current_span().set_attributes(prompt_attributes(prompt))


def within(span: Span) -> Context:
    """The context in which `span` is the parent."""
    return trace.set_span_in_context(span, Context())


def _flush(flush: Callable[[], None], ended: threading.Event) -> None:
    try:
        flush()
    finally:
        ended.set()
