"""Fires a trigger again with an earlier event."""

import json

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.triggers import repository
from promptops_platform.triggers.events import Event
from promptops_platform.triggers.firing import Fired, new_firing, report_firings
from promptops_platform.triggers.service import TriggerService
from promptops_platform.triggers.tables import FiringRow


class Resending:
    """Resends on request of a person, so the firing is not part of a chain of triggers."""

    def __init__(self, *, triggers: TriggerService, clock: Clock, fired: Fired) -> None:
        self._triggers = triggers
        self._clock = clock
        self._fired = fired

    async def resend(
        self, transaction: Transaction, trigger_id: str, firing_id: str, *, actor: Actor
    ) -> FiringRow:
        """Return the new firing; raises NotFound, and Conflict for an event that is no longer
        stored or that still waits."""
        trigger = await self._triggers.get(
            transaction, trigger_id, actor=actor, permission=Permission.TRIGGERS_WRITE
        )
        old = await repository.get_firing(transaction.session, firing_id)
        if old is None or old.trigger_id != trigger.id:
            raise NotFound(
                f"delivery {firing_id!r} not found; GET /api/triggers/{trigger.id}/deliveries "
                "lists them"
            )
        if old.event is None:
            raise Conflict(
                "the event of this delivery is not kept (PROMPTOPS_RUN_TEXTS is none), so it "
                "can't be sent again"
            )
        if old.state == "waiting":
            raise Conflict("this delivery has not been tried yet; wait for it")
        whole = json.loads(old.event)
        event = Event(old.event_type, f"resend:{new_id()}", trigger.workspace_id)
        fields = new_firing(
            trigger, event, whole, resend_of=old.resend_of or old.id, message_id=old.message_id
        )
        row = FiringRow(**fields, created_at=self._clock.now(), attempts=None)
        transaction.session.add(row)
        self._triggers.record_resend(transaction, trigger, old, actor=actor)
        transaction.after_commit(report_firings(self._fired, [row.id]))
        return row
