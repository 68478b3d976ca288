"""Who watches, on all replicas, and who of them has applied a change."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pydantic import BaseModel

from promptops_flows.waiting import happens_within
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.prompts.acknowledgement import Acknowledged, HoldingClient, Published
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.presence import Presence
from promptops_platform.realtime.reports import EVERY_KEY, Reports
from promptops_platform.realtime.schemas import LiveClient
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.realtime.view import Sight
from promptops_platform.realtime.watch import CONSOLE, Follower, Watch

# How often somebody who waits looks again without news; other replicas write every second.
LOOK_SECONDS = 0.5
GATHER_SECONDS = 0.05
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
        sight: Sight,
        presence: Presence,
        reports: Reports,
        recent: RecentChanges,
    ) -> None:
        self._database = database
        self._grants = grants
        self._snapshot = snapshot
        self._replicas = replicas
        self._hub = hub
        self._sight = sight
        self._presence = presence
        self._reports = reports
        self._recent = recent

    async def listed(self, actor: Actor) -> list[LiveClient]:
        """Newest connection first; without those of workspaces that don't exist for the caller."""
        rows = [self._presence.row(each) for each in self._hub.connections()]
        if others := self._replicas.others:
            async with self._database.read() as transaction:
                found = await repository.of_replicas(transaction.session, others)
            rows += [each._asdict() for each in found]
        rows.sort(key=lambda each: each["connected_at"], reverse=True)
        return [
            self._shown(row)
            for row in rows
            if self._may_see(actor, row["workspace"], row["environments"])
        ]

    async def acknowledged(
        self, published: Published, seconds: float, *, actor: Actor
    ) -> Acknowledged:
        """Wait until those who hold the prompt have applied its publish, at most so long. Those
        who report nothing are not waited for, and those who don't exist for the caller are neither
        waited for nor counted."""
        end = time.monotonic() + seconds
        while True:
            # Before they are looked at: no report falls between the two.
            news = self._reports.news
            holders = self._holders(published, actor)
            others = await self._holders_elsewhere(published, actor)
            holders += others or ()
            behind = [each for each in holders if each.is_behind(published.revision)]
            is_done = others is not None and not behind
            if is_done or (left := end - time.monotonic()) <= 0:
                break
            # One that leaves is no news.
            await happens_within(news, min(left, LOOK_SECONDS))
            # Many report at once: they are looked at together.
            await asyncio.sleep(min(left, GATHER_SECONDS))
        silent = [each for each in holders if each.is_silent]
        return Acknowledged(
            acknowledged=len(holders) - len(silent) - len(behind),
            connected=len(holders),
            behind=self._named(behind),
            silent=self._named(silent),
            partial=others is None,
        )

    def _holders(self, published: Published, actor: Actor) -> list["_Holder"]:
        """Those who watch the environment here, hold the key, and fetch this prompt under it, as
        far as they exist for the caller."""
        env, key = published.env, published.key
        found: list[_Holder] = []
        for view, crowd in self._hub.crowds():
            if (
                view.wants(env)
                and self._may_see(actor, view.named, view.environments)
                and self._fetches(published, self._sight.workspaces(view))
            ):
                found += (
                    _Holder(True, None, watch)
                    for watch in crowd.watches
                    if watch.client.client_type != CONSOLE
                )
                found += (
                    _Holder(False, each.applied, each)
                    for each in crowd.followers
                    if key in each.keys or EVERY_KEY in each.keys
                )
        return found

    async def _holders_elsewhere(
        self, published: Published, actor: Actor
    ) -> list["_Holder"] | None:
        """Those at other replicas; None where they can't be looked up. The publish stands, so that
        is no reason to fail."""
        others = self._replicas.others
        if not others:
            return []
        env, key = published.env, published.key
        try:
            async with self._database.read() as transaction:
                rows = await repository.holders(transaction.session, others, env, key, EVERY_KEY)
        except DatabaseUnavailable:
            return None
        found: list[_Holder] = []
        for row in rows:
            # A replica of an older release writes null for an admin, who may read all of them.
            workspaces = self._grants.ranks if row.readable is None else row.readable
            if self._may_see(actor, row.workspace, row.environments) and self._fetches(
                published, frozenset(workspaces)
            ):
                found.append(_Holder(row.key_count is None, row.revision, row._asdict()))
        return found

    def _fetches(self, published: Published, workspaces: frozenset[str]) -> bool:
        found = self._snapshot.first(published.env, published.key, workspaces)
        return found is not None and found.prompt_id == published.prompt_id

    def _named(self, holders: Iterable["_Holder"]) -> list[HoldingClient]:
        rows = map(self._row, islice(holders, MOST_NAMED))
        return [
            HoldingClient(**_fields(row, HoldingClient), replica=row["replica_id"]) for row in rows
        ]

    def _row(self, holder: "_Holder") -> Row:
        source = holder.source
        return source if isinstance(source, dict) else self._presence.row(source)

    def _may_see(
        self, actor: Actor, workspace: str | None, environments: Sequence[str] | None
    ) -> bool:
        """Whether a client that watches these environments, None for all, of the workspace that it
        named, exists for the caller: a limited API key sees those that watch no others than its
        own."""
        if actor.environments and not (environments and all(map(actor.may_enter, environments))):
            return False
        if self._grants.readable(actor) is None:
            # Also who watches a workspace that does not exist, and wonders why nothing comes.
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


class _Holder(NamedTuple):
    """A client that holds a prompt, of this replica or the row of another one's."""

    is_silent: bool
    revision: int | None
    source: Watch | Follower | Row

    def is_behind(self, revision: int) -> bool:
        """One that fetches everything anew has applied nothing yet."""
        return not self.is_silent and (self.revision is None or self.revision < revision)


def _fields(row: Row, model: type[BaseModel], *without: str) -> Row:
    """What a schema takes from a row under the same names."""
    names = model.model_fields.keys() - {"replica", *without}
    return {name: row[name] for name in names}
