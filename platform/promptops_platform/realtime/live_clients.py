"""Who watches, on all replicas, and who of them has applied a change."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.replicas import Replicas
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts.acknowledgement import Acknowledged, HoldingClient, Published
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.presence import Presence
from promptops_platform.realtime.reports import EVERY_KEY, Reports
from promptops_platform.realtime.schemas import LiveClient
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.realtime.watch import Follower, Watch

# How often the other replicas' table is looked at by somebody who waits; they write every second.
LOOK_SECONDS = 0.5
MOST_NAMED = 100

Row = dict[str, Any]


class LiveClients:
    """Those of this replica as they are now, those of the others as they said last."""

    def __init__(
        self,
        *,
        database: Database,
        grants: Grants,
        snapshot: Snapshot,
        replicas: Replicas,
        hub: Hub,
        presence: Presence,
        reports: Reports,
        clock: Clock,
    ) -> None:
        self._database = database
        self._grants = grants
        self._snapshot = snapshot
        self._replicas = replicas
        self._hub = hub
        self._presence = presence
        self._reports = reports
        self._clock = clock

    async def listed(self, actor: Actor) -> list[LiveClient]:
        """Newest connection first; without those of workspaces that don't exist for the caller."""
        rows = [self._presence.row(each) for each in self._hub.connections()]
        if others := self._replicas.others:
            async with self._database.read() as transaction:
                found = await repository.of_replicas(transaction.session, others)
            rows += [each._asdict() for each in found]
        rows.sort(key=lambda each: each["connected_at"], reverse=True)
        now = self._clock.now()
        return [self._shown(each, now) for each in rows if self._may_see(actor, each)]

    async def acknowledged(
        self, published: Published, seconds: float, *, actor: Actor
    ) -> Acknowledged:
        """Wait until those who hold the prompt have applied its publish, at most so long. Those
        who report nothing are not waited for."""
        end = time.monotonic() + seconds
        while True:
            # Before they are looked at: no report falls between the two.
            news = self._reports.news
            rows = await self._holders(published)
            if not any(_is_behind(each, published.revision) for each in rows):
                break
            if (left := end - time.monotonic()) <= 0:
                break
            with contextlib.suppress(TimeoutError):
                most = LOOK_SECONDS if self._replicas.others else left
                await asyncio.wait_for(news.wait(), min(left, most))
        return self._counted(rows, published.revision, actor)

    async def _holders(self, published: Published) -> list[Row]:
        """Those who watch the environment, hold the key, and fetch this prompt under it."""
        env, key = published.env, published.key
        own = (each for each in self._hub.connections() if _may_hold(each, env, key))
        rows = [self._presence.row(each) for each in own]
        if others := self._replicas.others:
            async with self._database.read() as transaction:
                found = await repository.holders(transaction.session, others, env, key, EVERY_KEY)
            rows += [each._asdict() for each in found]
        return [each for each in rows if self._fetches(each, published)]

    def _fetches(self, row: Row, published: Published) -> bool:
        readable = row["readable"]
        found = self._snapshot.first(
            published.env, published.key, None if readable is None else frozenset(readable)
        )
        return found is not None and found.prompt_id == published.prompt_id

    def _counted(self, rows: list[Row], revision: int, actor: Actor) -> Acknowledged:
        silent = [each for each in rows if _is_silent(each)]
        behind = [each for each in rows if _is_behind(each, revision)]
        return Acknowledged(
            acknowledged=len(rows) - len(silent) - len(behind),
            connected=len(rows),
            behind=self._named(behind, actor),
            silent=self._named(silent, actor),
        )

    def _named(self, rows: Iterable[Row], actor: Actor) -> list[HoldingClient]:
        seen = [each for each in rows if self._may_see(actor, each)]
        names = HoldingClient.model_fields
        shown = [{**each, "replica": each["replica_id"]} for each in seen[:MOST_NAMED]]
        return [HoldingClient(**{name: each[name] for name in names}) for each in shown]

    def _may_see(self, actor: Actor, row: Row) -> bool:
        if row["workspace"] is None:
            return actor.workspace_id is None
        return self._grants.find(actor, row["workspace"]) is not None

    def _shown(self, row: Row, now: datetime) -> LiveClient:
        revision, reported_at = row["revision"], row["reported_at"]
        more = {
            "lag_revisions": None if revision is None else max(0, self._hub.told - revision),
            "lag_seconds": None
            if reported_at is None
            else max(0.0, round((now - reported_at).total_seconds(), 3)),
            "keys": row["key_count"],
            "replica": row["replica_id"],
            "silent": _is_silent(row),
        }
        rest = {name: row[name] for name in LiveClient.model_fields if name not in more}
        return LiveClient(**rest, **more)


def _may_hold(watch: Watch | Follower, env: str, key: str) -> bool:
    if not watch.view.wants(env):
        return False
    return isinstance(watch, Watch) or key in watch.keys or EVERY_KEY in watch.keys


def _is_silent(row: Row) -> bool:
    return row["key_count"] is None


def _is_behind(row: Row, revision: int) -> bool:
    """A client that fetches anew has applied nothing yet."""
    return not _is_silent(row) and (row["revision"] is None or row["revision"] < revision)
