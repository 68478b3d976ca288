"""Records firings of triggers, in the transaction of the event."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from promptops_platform.audit.service import actor_of
from promptops_platform.changes.schemas import Change
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.ids import new_id
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_platform.triggers import repository
from promptops_platform.triggers.event_sources import (
    prompt_event,
    prompt_event_type,
    run_event,
    run_event_type,
    stored_event,
)
from promptops_platform.triggers.events import PROMPT_EVENTS, RUN_EVENTS, Event
from promptops_platform.triggers.mirror import TriggerMirror
from promptops_platform.triggers.service import TriggerService
from promptops_platform.triggers.states import FiringState
from promptops_platform.triggers.tables import TriggerRow

log = structlog.get_logger(__name__)

# A trigger starts at most this many runs of one chain, in which each run leads to the next.
DEEPEST_CHAIN = 3
# The number of triggers that are remembered of a chain of other triggers.
LONGEST_CHAIN = 30
Fired = Callable[[Sequence[str]], None]


class FiringRecorder:
    """Listens to changes and to ended runs. `fired` is called with the ids of waiting firings after
    they are committed."""

    def __init__(
        self,
        *,
        database: Database,
        mirror: TriggerMirror,
        triggers: TriggerService,
        runs: RunLog,
        definitions: Mapping[str, DefinitionService[Any]],
        clock: Clock,
        fired: Fired,
    ) -> None:
        self._database = database
        self._mirror = mirror
        self._triggers = triggers
        self._runs = runs
        self._definitions = definitions
        self._clock = clock
        self._fired = fired

    async def recorded(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Handle changes that are about to be committed."""
        if not self._mirror.waits_for(PROMPT_EVENTS):
            return
        actor = actor_of(transaction)
        causes: tuple[str, ...] = ()
        if actor is not None and actor.caused_by:
            causes = tuple(await self._runs.causes_of(transaction, actor.caused_by))
        for change in changes:
            event_type = prompt_event_type(change)
            if event_type is not None and change.workspace_id is not None:
                await self.fire(transaction, prompt_event(change, event_type, actor, causes))

    def run_ended(
        self, transaction: Transaction, row: RunRow, _steps: Sequence[RunStepRow]
    ) -> None:
        """Handle a run whose end is about to be committed."""
        event_type = run_event_type(row)
        if event_type is not None and self._mirror.waits_for(RUN_EVENTS):
            event = run_event(row, event_type)
            if self._mirror.matching(event):
                transaction.before_commit(lambda: self._fire_run_event(transaction, row, event))

    async def fire(self, transaction: Transaction, event: Event) -> None:
        """Write a row for each trigger that the event fires."""
        triggers = self._mirror.matching(event)
        if triggers:
            await self.write(transaction, triggers, event)

    async def _fire_run_event(self, transaction: Transaction, row: RunRow, event: Event) -> None:
        """Fire with the current tags of the definition; a deleted definition has none."""
        definitions = self._definitions[row.source]
        tags = await definitions.tags_of(transaction, row.workspace_id, row.ref_key)
        await self.fire(transaction, replace(event, fields={**event.fields, "tags": tags}))

    async def write(
        self, transaction: Transaction, triggers: Sequence[TriggerRow], event: Event
    ) -> None:
        """Write a row for each of these triggers that is still active and was not yet fired by this
        event."""
        existing = await repository.lock_active(transaction.session, [row.id for row in triggers])
        at = self._clock.now()
        whole = stored_event(event, at)
        rows = [
            {**new_firing(row, event, whole), "created_at": at}
            for row in triggers
            if row.id in existing
        ]
        if not rows:
            return
        written = await repository.add_firings(transaction.session, rows)
        waiting = [row["id"] for row in rows if row["id"] in written and row["state"] == "waiting"]
        transaction.after_commit(report_firings(self._fired, waiting))
        for row in rows:
            if row["state"] == "stopped" and row["id"] in written:
                transaction.after_commit(partial(self._stop, row["trigger_id"], row["error"]))
                log.warning("trigger_loop", trigger=row["trigger_id"], reason=row["error"])

    async def _stop(self, trigger_id: str, reason: str) -> None:
        """Stop the trigger in a separate transaction, because that of the change is about to be
        committed."""
        async with self._database.write() as transaction:
            await self._triggers.stop(transaction, trigger_id, reason)


def new_firing(
    trigger: TriggerRow,
    event: Event,
    whole: dict[str, Any],
    *,
    resend_of: str | None = None,
    message_id: str | None = None,
) -> dict[str, Any]:
    """Return the columns of a firing except its time; `stopped` if it would continue a loop."""
    firing_id = new_id()
    depth = event.causes.count(trigger.id)
    state: FiringState = "stopped" if depth >= DEEPEST_CHAIN else "waiting"
    return {
        "id": firing_id,
        "trigger_id": trigger.id,
        "workspace_id": trigger.workspace_id,
        "event_id": event.id,
        "event_type": event.type,
        "event": json.dumps(whole),
        "message_id": message_id or f"msg_{firing_id}",
        "resend_of": resend_of,
        "causes": list(event.causes) or None,
        "state": state,
        "error": _loop(trigger, event) if state == "stopped" else "",
        "tellings": 0,
    }


def chain_after(trigger_id: str, causes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the causes of a run that this trigger starts."""
    return (*(causes or ())[-LONGEST_CHAIN:], trigger_id)


def _loop(trigger: TriggerRow, event: Event) -> str:
    between = len(event.causes) - event.causes[::-1].index(trigger.id) - 1
    others = len(event.causes) - 1 - between
    through = f" through {others} other trigger{'s' if others > 1 else ''}" if others else ""
    subject = event.fields.get("key") or event.fields.get("workflow") or event.fields.get("agent")
    return (
        f"it is a loop: {event.type} of {subject!r} starts a run that leads to {event.type} "
        f"again{through}, {DEEPEST_CHAIN} times in a row. Change its condition or what it runs, "
        "then set enabled to true"
    )


def report_firings(fired: Fired, firing_ids: Sequence[str]) -> Callable[[], Awaitable[None]]:
    """Return a callback that reports firings after they are committed."""

    async def report() -> None:
        if firing_ids:
            fired(firing_ids)

    return report
