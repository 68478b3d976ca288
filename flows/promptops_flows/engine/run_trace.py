"""A run and its steps as spans, as children of the caller's span."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, Tracer

from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import RunSuspended
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.telemetry.text_policy import current_policy
from promptops_flows.telemetry.tracing import Tracing, context_of, fail, prompts_attributes, within
from promptops_providers.protocol import PromptVersion

# The kinds that the semantic conventions have names for; all others count as workflows.
_OPERATIONS = {"agent": ("invoke_agent", "gen_ai.agent.name")}
_WORKFLOW = ("invoke_workflow", "gen_ai.workflow.name")

# The span of the run whose flow is executed in this context.
_tracer: contextvars.ContextVar[Tracer | None] = contextvars.ContextVar("tracer", default=None)


class RunTrace:
    """The span of one run. Neither it nor the spans of its steps contain texts of the run or error
    messages, which may quote them."""

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
                **prompts_attributes(_prompts(request)),
            },
        )

    def enter(self, context: contextvars.Context) -> contextvars.Context:
        """Set the span and the text policy in that context, and return it."""
        context.run(otel_context.attach, within(self._span))
        context.run(_tracer.set, self._tracer)
        context.run(current_policy.set, self._texts)
        return context

    def began(self) -> None:
        """The run no longer waits."""
        self._span.add_event("began")

    def ended(self, result: RunFinished | RunSuspended | None) -> None:
        """End the span with the result; None if the engine was stopped first."""
        if isinstance(result, RunSuspended):
            self._span.add_event("suspended")
            self._span.end()
            return
        state = "crashed" if result is None else result.state
        if state != "completed":
            fail(self._span, f"run_{state}")
        self._span.end()


def _prompts(request: RunRequest) -> Sequence[PromptVersion]:
    if isinstance(request.plan, WorkflowPlan):
        return request.plan.prompts
    return (request.prompt,) if request.prompt else ()


@contextmanager
def step_span(
    index: int,
    name: str,
    kind: str,
    attempt: int,
    *,
    version: str,
    prompts: Sequence[PromptVersion],
) -> Iterator[Span]:
    """The span of one attempt of a step in the current run; it is the current span inside.
    `version` is the definition's."""
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
            "promptops.version": version,
            **prompts_attributes(prompts),
        },
    )
    with trace.use_span(span, end_on_exit=True, record_exception=False):
        try:
            yield span
        except asyncio.CancelledError:
            fail(span, "step_stopped")
            raise
