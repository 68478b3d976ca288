"""Fires triggers for programs that have not applied a change for a long time."""

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

CHECK_SECONDS = 5.0


class ClientWatch:
    """Checks the clients of all replicas while any trigger waits for clients that are behind. A
    trigger fires once for each change that a client has not applied, whichever replica detects it
    first."""

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
        # Trigger and event of what the last check wrote, which needn't be written again.
        self._written: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Start checking."""
        self._task = asyncio.create_task(self._check_forever(), name="clients-behind")

    async def stop(self) -> None:
        """Stop checking. Idempotent."""
        await end_tasks(self._task)
        self._task = None

    async def _check_forever(self) -> None:
        while True:
            try:
                if self._mirror.waits_for((CLIENT_BEHIND,)):
                    await self.check()
            except DatabaseUnavailable:
                log.warning("clients_not_checked")
            except Exception:
                log.exception("clients_not_checked")
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Fire the triggers for clients that are behind now."""
        triggers = self._mirror.active(CLIENT_BEHIND)
        least = min((trigger.condition["seconds"] for trigger in triggers), default=None)
        if least is None:
            return
        behind = await self._clients.behind(least)
        fired = [
            (trigger, _event(trigger, client))
            for client in behind
            for trigger in triggers
            if _matches(trigger, client)
        ]
        news = [row for row in fired if (row[0].id, row[1].id) not in self._written]
        if news:
            async with self._database.write(background=True) as transaction:
                for trigger, event in news:
                    await self._recorder.write(transaction, [trigger], event)
        self._written = {(trigger.id, event.id) for trigger, event in fired}


def _matches(trigger: TriggerRow, client: LaggingClient) -> bool:
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
