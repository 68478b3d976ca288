"""What every fetch answers, ready in memory."""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.prompts.schemas import ServedPrompt, Slot
from promptops_platform.prompts.service import PromptService
from promptops_platform.workspaces.service import DEFAULT_WORKSPACE, WorkspaceService

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

    def __init__(
        self, database: Database, prompts: PromptService, workspaces: WorkspaceService
    ) -> None:
        self._database = database
        self._prompts = prompts
        self._workspaces = workspaces
        # Mostly one entry a name: several only where workspaces use the same key.
        self._entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
        self._ranks: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._is_loaded = False
        # What the last load changed, for those who watch; before the first one nobody does.
        self.reloaded: list[Change] = []

    def lookup(self, workspace: str | None, env: str, key: str) -> Entry | None:
        """The answer for `key`: of `workspace` (id or slug), else of `default`, else of the
        oldest workspace that holds it. The workspace of an API key comes in as `workspace`."""
        entries = self._entries.get((env, key))
        if entries is None:
            return None
        if not workspace:
            return entries[0]
        workspace_id = self._ids.get(workspace)
        for entry in entries:
            if entry.workspace_id == workspace_id:
                return entry
        return None

    async def load(self) -> None:
        entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
        async with self._database.read() as transaction:
            await self._load_workspaces(transaction)
            async for served in self._prompts.all_served(transaction):
                name = (sys.intern(served.env), served.key)
                entries[name] = self._ranked([*entries.get(name, ()), _entry(served)])
        self.reloaded = [
            entry.as_update(env, key)
            for (env, key), found in entries.items()
            for entry in found
            if self._is_loaded and entry not in self._entries.get((env, key), ())
        ]
        self._entries = entries
        self._is_loaded = True

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(each.change.type == ChangeType.WORKSPACE_SAVED for each in changes):
            async with self._database.read() as transaction:
                await self._load_workspaces(transaction)
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

    async def _load_workspaces(self, transaction: Transaction) -> None:
        rows = await self._workspaces.every(transaction)
        oldest_first = sorted(rows, key=lambda row: row.id != DEFAULT_WORKSPACE)
        self._ranks = {row.id: rank for rank, row in enumerate(oldest_first)}
        self._ids = {row.slug: row.id for row in rows} | {row.id: row.id for row in rows}

    def _ranked(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        last = len(self._ranks)
        return tuple(sorted(entries, key=lambda each: self._ranks.get(each.workspace_id, last)))


def _slot(numbered: NumberedChange) -> Slot:
    change = numbered.change
    return (change.workspace_id or "", change.env, change.key)


def _entry(served: ServedPrompt) -> Entry:
    body = json.dumps(
        {
            "key": served.key,
            "version": served.version,
            "env": served.env,
            "model": served.model,
            "content": served.content,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    # Few values in many entries: each is kept once.
    workspace_id, version = sys.intern(served.workspace_id), sys.intern(served.version)
    return Entry(workspace_id, served.prompt_id, version, body, etag)
