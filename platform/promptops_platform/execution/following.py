"""Follows a run through the engine, from its start to its end."""

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import structlog

from promptops_flows.protocol.engine_client import (
    Began,
    EngineLost,
    RunEvent,
    RunFinished,
    RunSuspended,
    StartedRun,
    StepCheckpoint,
    StepDelta,
    StepFinished,
    StepStarted,
)
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_platform.execution.active_run import ActiveRun
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.step_records import StepRecords
from promptops_platform.execution.step_writer import StepWriter
from promptops_providers.answers.storable_texts import storable, storable_json

log = structlog.get_logger(__name__)


def crashed(reason: str) -> RunFinished:
    """Return the end of a run that was lost."""
    return RunFinished(status="error", error=reason, state="crashed")


def cancelled(by: str) -> RunFinished:
    """Return the end of a run that was cancelled."""
    return RunFinished(
        status="error", error=f"the run was cancelled by {by}", state="cancelled", cancelled_by=by
    )


LOST = crashed("the run engine ended before the run did")
FAULT = crashed("the platform failed to follow the run; see its log")


@dataclass(frozen=True, slots=True)
class InnerPlaces:
    """Places the steps of inner runs after `steps`, the number of the run's own steps. If the log
    has inner steps of earlier attempts, new ones are placed after them."""

    steps: int
    shift: int

    @classmethod
    def after(cls, plan: WorkflowPlan | AgentPlan, logged: Collection[int]) -> Self | None:
        """None if no step has to be moved."""
        steps = len(plan.steps) if isinstance(plan, WorkflowPlan) else 0
        shift = max(logged, default=0) - steps
        return cls(steps, shift) if steps and shift > 0 else None

    def moved(self, event: RunEvent) -> RunEvent:
        """Return the event with its place in this run."""
        if not isinstance(event, StepStarted | StepDelta | StepFinished):
            return event
        moves = event.index > self.steps
        return replace(event, index=event.index + self.shift) if moves else event


async def follow(
    active: ActiveRun,
    started: StartedRun,
    follower: RunFollower,
    writer: StepWriter,
    now: Callable[[], datetime],
    inner: InnerPlaces | None = None,
) -> RunOutcome:
    """Let the run go, and wait until it ends or waits for approvals; if the engine is lost, the run
    has crashed."""
    outcome = outcome_of(active.run_id, started, LOST)
    follower.opened(outcome)
    try:
        await active.go(started)
        async for raw_event in started.events():
            event = inner.moved(raw_event) if inner else raw_event
            outcome = noted(event, outcome, follower, writer, now)
    except EngineLost as error:
        log.warning("run_lost", run=active.run_id, reason=error.reason)
        by = active.cancelled_by
        end = crashed(error.reason) if by is None else cancelled(by)
        outcome = replace(outcome, end=end)
    return outcome


def noted(
    raw_event: RunEvent,
    outcome: RunOutcome,
    follower: RunFollower,
    writer: StepRecords,
    now: Callable[[], datetime],
) -> RunOutcome:
    """Apply an event to the outcome; return the state of the run after it."""
    if isinstance(raw_event, StepCheckpoint):
        # Unchanged, because steps that use the output have to get exactly this one.
        writer.add_checkpoint(raw_event.checkpoint)
        return outcome
    if isinstance(raw_event, RunSuspended):
        approvals = tuple(
            replace(asked, message=storable(asked.message)) for asked in raw_event.approvals
        )
        return replace(outcome, approvals=approvals)
    event = _plain(raw_event)
    follower.happened(event)
    if isinstance(event, Began):
        writer.begin(now())
    elif isinstance(event, StepFinished):
        outcome.steps.append(event)
        writer.add(event)
    elif isinstance(event, RunFinished):
        return replace(outcome, end=event)
    return outcome


def outcome_of(run_id: str, started: StartedRun, end: RunFinished) -> RunOutcome:
    """Return the outcome of a run that the engine had started."""
    return RunOutcome(run_id, started.flow_run_id, started.flow_run_url, end)


def _plain(event: RunEvent) -> RunEvent:
    """Return the event with texts that can be stored and sent: a model may return half a
    character."""
    fields = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    return replace(event, **storable_json(fields))
