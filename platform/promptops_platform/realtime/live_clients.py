"""The clients that watch, on all replicas, and which of them have applied a change."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pydantic import BaseModel

from promptops_flows.processes.waiting import happens_within
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.prompts.acknowledgement import Acknowledged, CachingClient, Published
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.presence import Presence
from promptops_platform.realtime.reports import EVERY_KEY, Reports
from promptops_platform.realtime.schemas import LiveClient
from promptops_platform.realtime.subscription import Visibility
from promptops_platform.realtime.watchers import CONSOLE, LegacyWatcher, ResumingWatcher
from promptops_platform.serving.snapshot import Snapshot

# A waiting caller checks again at this interval even without events; other replicas write every
# second.
CHECK_SECONDS = 0.5
GATHER_SECONDS = 0.05
MOST_NAMED = 100

Row = dict[str, Any]


class LiveClients:
    """The current clients of this replica, and those that the other replicas last wrote."""

    def __init__(
        self,
        *,
        database: Database,
        grants: Grants,
        snapshot: Snapshot,
        replicas: Replicas,
        hub: Hub,
        visibility: Visibility,
        presence: Presence,
        reports: Reports,
        recent: RecentChanges,
    ) -> None:
        self._database = database
        self._grants = grants
        self._snapshot = snapshot
        self._replicas = replicas
        self._hub = hub
        self._visibility = visibility
        self._presence = presence
        self._reports = reports
        self._recent = recent

    async def listed(self, actor: Actor) -> list[LiveClient]:
        """Return the clients, newest connection first, without those of workspaces that the caller
        can't see."""
        rows = await self._rows()
        rows.sort(key=lambda row: row["connected_at"], reverse=True)
        return [
            self._shown(row)
            for row in rows
            if self.may_see(actor, row["workspace"], row["environments"])
        ]

    async def behind(self, seconds: float) -> list["LaggingClient"]:
        """Return clients of all replicas, regardless of the caller, that have not applied a change
        for this long."""
        lagging = []
        for row in await self._rows():
            if row["revision"] is not None:
                lag = self._recent.lag(row["revision"], row["environments"], row["readable"])
                if lag.revisions and lag.seconds >= seconds:
                    workspaces = frozenset(row["readable"] or self._grants.ranks)
                    client = (row["id"], row["app"], row["client_type"], row["namespace"])
                    lagging.append(LaggingClient(*client, row["revision"], *lag, workspaces))
        return lagging

    async def _rows(self) -> list[Row]:
        rows = [self._presence.row(connection) for connection in self._hub.connections()]
        if others := self._replicas.others:
            async with self._database.read() as transaction:
                stored = await repository.of_replicas(transaction.session, others)
            rows += [row._asdict() for row in stored]
        return rows

    async def acknowledged(
        self, published: Published, seconds: float, *, actor: Actor
    ) -> Acknowledged:
        """Wait until the clients that have the prompt in memory have applied its publish, or until
        the timeout. Clients that report nothing, and those that the caller can't see, are neither
        waited for nor counted."""
        end = time.monotonic() + seconds
        while True:
            # Read before the clients are checked, so that no report falls between the two.
            news = self._reports.news
            holders = self._holders(published, actor)
            others = await self._holders_elsewhere(published, actor)
            holders += others or ()
            behind = [holder for holder in holders if holder.is_behind(published.revision)]
            is_done = others is not None and not behind
            if is_done or (left := end - time.monotonic()) <= 0:
                break
            # A client that leaves doesn't set the event.
            await happens_within(news, min(left, CHECK_SECONDS))
            # Many clients report simultaneously: one check covers all of them.
            await asyncio.sleep(min(left, GATHER_SECONDS))
        silent = [holder for holder in holders if holder.is_silent]
        missing = {*map(id, behind), *map(id, silent)}
        applied = [holder for holder in holders if id(holder) not in missing]
        return Acknowledged(
            acknowledged=len(applied),
            connected=len(holders),
            behind=self._clients(behind),
            silent=self._clients(silent),
            partial=others is None,
            applied=self._clients(applied),
        )

    def _holders(self, published: Published, actor: Actor) -> list["_Holder"]:
        """Return those that watch the environment here, have the key in memory, fetch this prompt
        under it, and are visible to the caller."""
        env, key = published.env, published.key
        holders: list[_Holder] = []
        for subscription, group in self._hub.groups():
            if (
                subscription.wants(env)
                and self.may_see(actor, subscription.watched_workspace, subscription.environments)
                and self._fetches(published, self._visibility.workspaces(subscription))
            ):
                holders += (
                    _Holder(True, None, watcher)
                    for watcher in group.legacy
                    if watcher.client.client_type != CONSOLE
                )
                holders += (
                    _Holder(False, watcher.applied, watcher)
                    for watcher in group.resuming
                    if key in watcher.keys or EVERY_KEY in watcher.keys
                )
        return holders

    async def _holders_elsewhere(
        self, published: Published, actor: Actor
    ) -> list["_Holder"] | None:
        """Return the holders at other replicas; None if they can't be looked up. The publish has
        been made, so this is not a reason to fail."""
        others = self._replicas.others
        if not others:
            return []
        env, key = published.env, published.key
        try:
            async with self._database.read() as transaction:
                rows = await repository.holders(transaction.session, others, env, key, EVERY_KEY)
        except DatabaseUnavailable:
            return None
        holders: list[_Holder] = []
        for row in rows:
            # A replica of an older release writes null for an admin, who may read all of them.
            workspaces = self._grants.ranks if row.readable is None else row.readable
            if self.may_see(actor, row.workspace, row.environments) and self._fetches(
                published, frozenset(workspaces)
            ):
                holders.append(_Holder(row.key_count is None, row.revision, row._asdict()))
        return holders

    def _fetches(self, published: Published, workspaces: frozenset[str]) -> bool:
        entry = self._snapshot.first(published.env, published.key, workspaces)
        return entry is not None and entry.prompt_id == published.prompt_id

    def _clients(self, holders: Iterable["_Holder"]) -> list[CachingClient]:
        rows = map(self._row, islice(holders, MOST_NAMED))
        return [
            CachingClient(**_fields(row, CachingClient), replica=row["replica_id"]) for row in rows
        ]

    def _row(self, holder: "_Holder") -> Row:
        source = holder.source
        return source if isinstance(source, dict) else self._presence.row(source)

    def may_see(
        self, actor: Actor, workspace: str | None, environments: Sequence[str] | None
    ) -> bool:
        """Whether the caller can see a client that watches these environments (None for all) of the
        workspace that it named: a limited API key sees those that watch only the key's
        environments."""
        if actor.environments and not (environments and all(map(actor.may_enter, environments))):
            return False
        if self._grants.readable(actor) is None:
            # This includes clients that watch a workspace that does not exist: their owner wants to
            # find out why no event comes.
            return True
        if workspace is None:
            return actor.workspace_id is None
        return self._grants.find(actor, workspace) is not None

    def _shown(self, row: Row) -> LiveClient:
        lag = None
        if row["revision"] is not None:
            lag = self._recent.lag(row["revision"], row["environments"], row["readable"])
        more = {
            "lag_revisions": lag and lag.revisions,
            "lag_seconds": lag and lag.seconds,
            "keys": row["key_count"],
            "replica": row["replica_id"],
            "silent": row["key_count"] is None,
        }
        return LiveClient(**_fields(row, LiveClient, *more), **more)


class LaggingClient(NamedTuple):
    """A client that has only applied the revision `applied`: it lacks `revisions` changes, the
    first of them since `seconds`. `workspaces` are those that it fetches from."""

    id: str
    app: str
    client_type: str
    env: str
    applied: int
    revisions: int
    seconds: float
    workspaces: frozenset[str]


class _Holder(NamedTuple):
    """A client that has a prompt in memory, of this replica or the row of another one."""

    is_silent: bool
    revision: int | None
    source: LegacyWatcher | ResumingWatcher | Row

    def is_behind(self, revision: int) -> bool:
        """A client that fetches everything again has applied nothing yet."""
        return not self.is_silent and (self.revision is None or self.revision < revision)


def _fields(row: Row, model: type[BaseModel], *without: str) -> Row:
    """Return the fields of a schema that have the same names."""
    names = model.model_fields.keys() - {"replica", *without}
    return {name: row[name] for name in names}
