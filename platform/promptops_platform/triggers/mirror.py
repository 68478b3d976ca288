"""Keeps all triggers in memory, so that changes that fire no trigger cost nothing."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database
from promptops_platform.triggers import repository
from promptops_platform.triggers.conditions import event_type_of, matches
from promptops_platform.triggers.events import Event
from promptops_platform.triggers.tables import TriggerRow

CHANGES = frozenset({ChangeType.TRIGGER_CHANGED, ChangeType.WORKSPACE_DELETED})


class TriggerMirror:
    """A consumer of the change feed. Secrets remain encrypted in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._active: dict[tuple[str, str], list[TriggerRow]] = {}
        self._hooks: dict[str, TriggerRow] = {}
        self._types: frozenset[str] = frozenset()

    async def load(self) -> None:
        async with self._database.read() as transaction:
            rows = await repository.all_triggers(transaction.session)
        active: defaultdict[tuple[str, str], list[TriggerRow]] = defaultdict(list)
        for row in rows:
            if is_active(row):
                active[event_type_of(row.condition), row.workspace_id].append(row)
        self._active = dict(active)
        self._types = frozenset(event_type for event_type, _ in active)
        self._hooks = {row.hook: row for row in rows if row.hook is not None}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(numbered.change.type in CHANGES for numbered in changes):
            await self.load()

    def waits_for(self, event_types: Collection[str]) -> bool:
        """Whether any active trigger waits for an event of these types."""
        return not self._types.isdisjoint(event_types)

    def active(self, event_type: str) -> list[TriggerRow]:
        """Return the active triggers of that type, of all workspaces."""
        return [
            row for (kind, _), rows in self._active.items() if kind == event_type for row in rows
        ]

    def matching(self, event: Event) -> list[TriggerRow]:
        """Return the active triggers that the event fires."""
        rows = self._active.get((event.type, event.workspace_id), ())
        return [row for row in rows if matches(row.condition, event)]

    def find_hook(self, hook: str) -> TriggerRow | None:
        """Return the trigger whose address ends with this, even if it is inactive."""
        return self._hooks.get(hook)


def is_active(row: TriggerRow) -> bool:
    """Whether events fire the trigger."""
    return row.enabled and row.stopped_because is None
