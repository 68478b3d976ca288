"""A run and its steps as spans, below the span of whoever asked for the run."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, Tracer

from promptops_flows.text_policy import current_policy
from promptops_flows.tracing import Tracing, context_of, fail, within
from promptops_flows.wire import RunFinished, RunRequest

# What the conventions have names for; all else counts as a workflow.
_OPERATIONS = {"agent": ("invoke_agent", "gen_ai.agent.name")}
_WORKFLOW = ("invoke_workflow", "gen_ai.workflow.name")
_FAILED = {"ok": None, "error": "run_failed"}

# Of the run whose flow is executed in this context.
_tracer: contextvars.ContextVar[Tracer | None] = contextvars.ContextVar("tracer", default=None)


class RunTrace:
    """The span of one run. No text of the run is in it or in those of its steps, and no error's
    sentence, which may quote one."""

    def __init__(self, tracing: Tracing, request: RunRequest, flow_run_id: str) -> None:
        self._tracer = tracing.tracer()
        self._texts = request.texts
        operation, name = _OPERATIONS.get(request.source, _WORKFLOW)
        self._span = self._tracer.start_span(
            f"{operation} {request.key}",
            context=context_of(request.traceparent),
            attributes={
                "gen_ai.operation.name": operation,
                name: request.key,
                "promptops.run_id": request.run_id,
                "promptops.workspace": request.workspace,
                "promptops.source": request.source,
                "promptops.version": request.version,
                "prefect.flow_run_id": flow_run_id,
            },
        )

    def enter(self, context: contextvars.Context) -> contextvars.Context:
        """Make span and text policy the current ones of that context, which is returned."""
        context.run(otel_context.attach, within(self._span))
        context.run(_tracer.set, self._tracer)
        context.run(current_policy.set, self._texts)
        return context

    def began(self) -> None:
        """It waits no longer for its turn."""
        self._span.add_event("began")

    def ended(self, result: RunFinished | None) -> None:
        """How the run ended; None where it was stopped before."""
        failure = "interrupted" if result is None else _FAILED[result.status]
        if failure is not None:
            fail(self._span, failure)
        self._span.end()


@contextmanager
def step_span(index: int, name: str, kind: str, attempt: int) -> Iterator[Span]:
    """The span of one try of a step of the run that is executed here, current inside."""
    tracer = _tracer.get()
    if tracer is None:
        yield INVALID_SPAN
        return
    span = tracer.start_span(
        f"step {kind}",
        attributes={
            "promptops.step.index": index,
            "promptops.step.name": name,
            "promptops.step.type": kind,
            "promptops.step.attempt": attempt,
        },
    )
    with trace.use_span(span, end_on_exit=True, record_exception=False):
        yield span
