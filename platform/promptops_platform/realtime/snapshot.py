"""What every fetch answers, ready in memory."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts.schemas import ServedPrompt, Slot
from promptops_platform.prompts.service import PromptService
from promptops_platform.realtime.answer import answer_body

PROMPT_CHANGES = frozenset(
    {
        ChangeType.PROMPT_UPDATED,
        ChangeType.PROMPT_PUBLISHED,
        ChangeType.PROMPT_DRAFTED,
        ChangeType.PROMPT_DELETED,
    }
)


class Entry(NamedTuple):
    """The ready answer of one slot."""

    workspace_id: str
    prompt_id: str
    version: str
    body: bytes
    etag: bytes

    def as_update(self, env: str, key: str) -> Change:
        """The change that tells a watcher of this entry."""
        return Change(
            ChangeType.PROMPT_UPDATED, self.prompt_id, self.workspace_id, key, env, self.version
        )


class Snapshot:
    """Ready answers by environment and key; a consumer of the change feed."""

    def __init__(self, database: Database, prompts: PromptService, grants: Grants) -> None:
        self._database = database
        self._prompts = prompts
        self._grants = grants
        # Mostly one entry a name: several only where workspaces use the same key.
        self._entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
        # What the last load changed, for those who watch.
        self.reloaded: list[Change] = []

    def lookup(self, actor: Actor, workspace: str | None, env: str, key: str) -> Entry | None:
        """The answer for `key`: of the workspace of the caller's API key, else of `workspace` (id
        or slug), else of `default`, else of the oldest one that exists for the caller and holds
        it."""
        entries = self._entries.get((env, key))
        if entries is None:
            return None
        named = actor.workspace_id or workspace
        if named:
            wanted = self._grants.find(actor, named)
            return next((each for each in entries if each.workspace_id == wanted), None)
        readable = self._grants.readable(actor)
        if readable is None:
            return entries[0]
        return next((each for each in entries if each.workspace_id in readable), None)

    async def load(self) -> None:
        entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
        async with self._database.read() as transaction:
            async for served in self._prompts.all_served(transaction):
                name = (served.env, served.key)
                entries[name] = self._ranked([*entries.get(name, ()), _entry(served)])
        self.reloaded = [
            entry.as_update(env, key)
            for (env, key), found in entries.items()
            for entry in found
            if entry not in self._entries.get((env, key), ())
        ]
        self._entries = entries

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        slots = {_slot(each) for each in changes if each.change.type in PROMPT_CHANGES}
        if not slots:
            return
        async with self._database.read() as transaction:
            found = await self._prompts.served(transaction, sorted(slots))
        served = {(each.workspace_id, each.env, each.key): each for each in found}
        for slot in slots:
            self._replace(slot, served.get(slot))

    def _replace(self, slot: Slot, served: ServedPrompt | None) -> None:
        workspace_id, env, key = slot
        others = [
            each for each in self._entries.get((env, key), ()) if each.workspace_id != workspace_id
        ]
        if served is not None:
            others.append(_entry(served))
        if others:
            self._entries[env, key] = self._ranked(others)
        else:
            self._entries.pop((env, key), None)

    def _ranked(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        ranks = self._grants.ranks
        last = len(ranks)
        return tuple(sorted(entries, key=lambda each: ranks.get(each.workspace_id, last)))


def _slot(numbered: NumberedChange) -> Slot:
    change = numbered.change
    return (change.workspace_id or "", change.env, change.key)


def _entry(served: ServedPrompt) -> Entry:
    body = answer_body(served)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    return Entry(served.workspace_id, served.prompt_id, served.version, body, etag)
