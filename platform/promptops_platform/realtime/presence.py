"""Tells the other replicas who watches at this one: once a second, and only what has changed."""

import asyncio
from typing import Any

import structlog

from promptops_flows.waiting import end_tasks
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.reports import EVERY_KEY, MOST_KEYS
from promptops_platform.realtime.view import Sight
from promptops_platform.realtime.watch import Follower, Watch

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0

Row = dict[str, Any]


class Presence:
    """Writes only while there is somebody to read it."""

    def __init__(self, database: Database, replicas: Replicas, hub: Hub, sight: Sight) -> None:
        self._database = database
        self._replicas = replicas
        self._hub = hub
        self._sight = sight
        # The registration under which the others know them; None while they don't.
        self._shared_under: int | None = None
        self._written: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._replicas.is_shared:
            self._task = asyncio.create_task(self._write_forever(), name="presence")

    async def stop(self) -> None:
        await end_tasks(self._task)

    def row(self, watch: Watch | Follower) -> Row:
        """A connection as the other replicas are told of it."""
        view, client = watch.view, watch.client
        told: Row = {"keys": None, "key_count": None, "revision": None, "reported_at": None}
        if isinstance(watch, Follower):
            every = EVERY_KEY in watch.keys
            told = {
                "keys": sorted(watch.keys),
                "key_count": MOST_KEYS + 1 if every else len(watch.keys),
                "revision": watch.applied,
                "reported_at": watch.reported_at,
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
            "workspace": view.named,
            "environments": view.environments,
            "readable": sorted(self._sight.workspaces(view)),
            **told,
        }

    async def write(self) -> None:
        """Write what has changed since the last time."""
        if not self._replicas.others:
            self._shared_under = None
            return
        registration, changed = self._replicas.registrations, self._hub.take_changed()
        connected = {each.client.id: each for each in self._hub.connections()}
        is_first = self._shared_under != registration
        if is_first:
            changed = set(connected)
        gone = self._written - connected.keys()
        rows = [self.row(connected[each]) for each in changed if each in connected]
        if not (rows or gone or is_first):
            return
        # Should it fail, what was to be written is not known any more: next time all of it.
        self._shared_under = None
        async with self._database.write(background=True) as transaction:
            if is_first:
                await repository.clear(transaction.session, self._replicas.id)
            await repository.remove(transaction.session, sorted(gone))
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
