"""Writes which clients watch at this replica, for the other replicas: once a second, and only
changes."""

import asyncio
from typing import Any

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.reports import EVERY_KEY, MOST_KEYS
from promptops_platform.realtime.subscription import Visibility
from promptops_platform.realtime.watchers import LegacyWatcher, ResumingWatcher

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0

Row = dict[str, Any]


class Presence:
    """Writes only while another replica exists."""

    def __init__(
        self, database: Database, replicas: Replicas, hub: Hub, visibility: Visibility
    ) -> None:
        self._database = database
        self._replicas = replicas
        self._hub = hub
        self._visibility = visibility
        # The registration under which the others know these clients; None while they know none.
        self._shared_under: int | None = None
        self._written: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._replicas.is_shared:
            self._task = asyncio.create_task(self._write_forever(), name="presence")

    async def stop(self) -> None:
        await end_tasks(self._task)

    def row(self, watcher: LegacyWatcher | ResumingWatcher) -> Row:
        """Return a connection in the form for other replicas."""
        subscription, client = watcher.subscription, watcher.client
        state: Row = {"keys": None, "key_count": None, "revision": None, "reported_at": None}
        if isinstance(watcher, ResumingWatcher):
            every = EVERY_KEY in watcher.keys
            state = {
                "keys": sorted(watcher.keys),
                "key_count": MOST_KEYS + 1 if every else len(watcher.keys),
                "revision": watcher.applied,
                "reported_at": watcher.reported_at,
            }
        return {
            "id": client.id,
            "replica_id": self._replicas.id,
            "client_type": client.client_type,
            "app": client.app,
            "version": client.version,
            "namespace": client.namespace,
            "remote_addr": client.remote_addr,
            "user_agent": client.user_agent,
            "connected_at": client.connected_at,
            "workspace": subscription.watched_workspace,
            "environments": subscription.environments,
            "readable": sorted(self._visibility.workspaces(subscription)),
            **state,
        }

    async def write(self) -> None:
        """Write what has changed since the last time."""
        if not self._replicas.others:
            self._shared_under = None
            return
        registration, changed = self._replicas.registrations, self._hub.take_changed()
        connected = {connection.client.id: connection for connection in self._hub.connections()}
        is_first = self._shared_under != registration
        if is_first:
            changed = set(connected)
        deleted = self._written - connected.keys()
        rows = [self.row(connected[id_]) for id_ in changed if id_ in connected]
        if not (rows or deleted or is_first):
            return
        # If the write fails, the list of changes is lost, so the next one writes everything.
        self._shared_under = None
        async with self._database.write(background=True) as transaction:
            if is_first:
                await repository.clear(transaction.session, self._replicas.id)
            await repository.remove(transaction.session, sorted(deleted))
            await repository.save(transaction.session, rows)
        self._shared_under, self._written = registration, set(connected)

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.write()
            except DatabaseUnavailable:
                log.warning("presence_not_written")
            except Exception:
                log.exception("presence_not_written")
