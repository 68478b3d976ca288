"""The part of tracing that needs the SDK; imported if an endpoint is configured."""

from __future__ import annotations

import os
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# A target that doesn't respond blocks only its own thread, and delays a stop at most this long.
_EXPORT_SECONDS = 5.0
_QUERY = "url.query"


def exporting(endpoint: str, *, service: str) -> TracerProvider:
    """A provider whose spans are sent in batches on a thread; spans beyond its queue's capacity are
    dropped."""
    attributes = {"service.version": version("promptops")}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = service
    # Not at the interpreter's exit, which would wait for an unreachable target.
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(_WithoutQueries())
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class _WithoutQueries(SpanProcessor):
    """Query strings contain search terms, and may contain tokens."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and span.attributes.get(_QUERY):
            span.set_attribute(_QUERY, "REDACTED")
