"""Programs that have not applied a change for long."""

import asyncio

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.realtime.live_clients import LaggingClient, LiveClients
from promptops_platform.triggers.conditions import matches
from promptops_platform.triggers.events import CLIENT_BEHIND, Event
from promptops_platform.triggers.firing import FiringRecorder
from promptops_platform.triggers.mirror import TriggerMirror
from promptops_platform.triggers.tables import TriggerRow

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0


class ClientWatch:
    """Looks at the clients of all replicas, as long as a trigger waits for one that is behind. A
    trigger fires once for what a client has not applied, whichever replica sees it first."""

    def __init__(
        self,
        *,
        database: Database,
        mirror: TriggerMirror,
        recorder: FiringRecorder,
        clients: LiveClients,
    ) -> None:
        self._database = database
        self._mirror = mirror
        self._recorder = recorder
        self._clients = clients
        self._task: asyncio.Task[None] | None = None
        # Trigger and event of what was written at the last look: it need not be tried again.
        self._written: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_forever(), name="clients-behind")

    async def stop(self) -> None:
        """Look no more. Harmless when repeated."""
        await end_tasks(self._task)
        self._task = None

    async def _look_forever(self) -> None:
        while True:
            try:
                if self._mirror.waits_for((CLIENT_BEHIND,)):
                    await self.look()
            except DatabaseUnavailable:
                log.warning("clients_not_looked_at")
            except Exception:
                log.exception("clients_not_looked_at")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Fire the triggers of clients that are behind now."""
        triggers = self._mirror.active(CLIENT_BEHIND)
        least = min((trigger.condition["seconds"] for trigger in triggers), default=None)
        if least is None:
            return
        behind = await self._clients.behind(least)
        fired = [
            (trigger, _event(trigger, client))
            for client in behind
            for trigger in triggers
            if _is_meant(trigger, client)
        ]
        news = [row for row in fired if (row[0].id, row[1].id) not in self._written]
        if news:
            async with self._database.write(background=True) as transaction:
                for trigger, event in news:
                    await self._recorder.write(transaction, [trigger], event)
        self._written = {(trigger.id, event.id) for trigger, event in fired}


def _is_meant(trigger: TriggerRow, client: LaggingClient) -> bool:
    return (
        client.seconds >= trigger.condition["seconds"]
        and trigger.workspace_id in client.workspaces
        and matches(trigger.condition, _event(trigger, client))
    )


def _event(trigger: TriggerRow, client: LaggingClient) -> Event:
    fields = {
        "app": client.app,
        "client_id": client.id,
        "client_type": client.client_type,
        "env": client.env,
        "seconds": client.seconds,
        "revisions": client.revisions,
    }
    event_id = f"{client.id}:{client.applied}"
    return Event(CLIENT_BEHIND, event_id, trigger.workspace_id, fields)
