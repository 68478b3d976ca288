"""All prompts of an environment in one answer, made ready once for all who may see the same."""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.changes.feed import Feed
from promptops_platform.errors import NotFound
from promptops_platform.http.error_answers import quoted
from promptops_platform.realtime.snapshot import Snapshot

# So much is kept of what was asked for last; there is nothing in an environment of a slip.
MOST_KEPT_BYTES = 32 * 1024 * 1024
MOST_KEPT = 100
# After so much work or so many bytes other requests get their turn.
PROMPTS_AT_ONCE = 200
CHUNK_BYTES = 128 * 1024

# Environment, and the workspaces that the caller fetches from.
Audience = tuple[str, frozenset[str]]


class Prompts(NamedTuple):
    """The list of an answer, in chunks, and the ETag that names it."""

    chunks: tuple[bytes, ...]
    length: int
    etag: bytes


class EnvironmentAnswer(NamedTuple):
    """`head` says of when it is, and stands before the list; the ETag is the list's, which is the
    same after a change elsewhere."""

    head: bytes
    prompts: Prompts

    @property
    def length(self) -> int:
        return len(self.head) + self.prompts.length + 1

    async def body(self) -> AsyncIterator[bytes]:
        yield self.head
        for chunk in self.prompts.chunks:
            yield chunk
        yield b"}"


class EnvironmentAnswers:
    """Builds them; concurrent callers share one."""

    def __init__(self, snapshot: Snapshot, grants: Grants, feed: Feed) -> None:
        self._snapshot = snapshot
        self._grants = grants
        self._feed = feed
        self._kept: OrderedDict[Audience, tuple[tuple[int, int], Prompts]] = OrderedDict()
        self._building: dict[tuple[Audience, tuple[int, int]], asyncio.Task[Prompts]] = {}

    async def answer(self, actor: Actor, env: str, workspace: str | None) -> EnvironmentAnswer:
        """What the caller may fetch there; raises Forbidden, and NotFound for the workspace."""
        require_environment(actor, env)
        audience = (env, self._workspaces(actor, workspace))
        # Before the prompts are looked up: they are of this revision, or of a later one.
        feed = self._feed
        head = {"epoch": feed.epoch, "revision": feed.applied, "env": env}
        start = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"prompts":'
        return EnvironmentAnswer(start.encode(), await self._prompts(audience))

    def _workspaces(self, actor: Actor, workspace: str | None) -> frozenset[str]:
        named = actor.workspace_id or workspace
        if not named:
            return self._grants.implicit(actor)
        found = self._grants.find(actor, named)
        if found is None:
            raise NotFound(f"workspace {quoted(named)} not found; GET /api/workspaces lists them")
        return frozenset({found})

    async def _prompts(self, audience: Audience) -> Prompts:
        generation = self._snapshot.generation(audience[0])
        kept = self._kept.get(audience)
        if kept is not None and kept[0] == generation:
            self._kept.move_to_end(audience)
            return kept[1]
        wanted = (audience, generation)
        task = self._building.get(wanted)
        if task is None:
            task = self._building[wanted] = asyncio.create_task(self._build(audience, generation))
            task.add_done_callback(lambda _done: self._building.pop(wanted))
        return await asyncio.shield(task)

    async def _build(self, audience: Audience, generation: tuple[int, int]) -> Prompts:
        env, workspaces = audience
        found = await asyncio.to_thread(self._snapshot.environment, env, workspaces)
        chunks: list[bytes] = []
        digest = hashlib.sha256()
        part = bytearray(b"[")
        for number, (_key, entry) in enumerate(found):
            part += b"," * (number > 0) + entry.whole
            if len(part) >= CHUNK_BYTES:
                chunks.append(bytes(part))
                digest.update(part)
                part.clear()
                await asyncio.sleep(0)
            elif number % PROMPTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        part += b"]"
        digest.update(part)
        chunks.append(bytes(part))
        etag = f'W/"{digest.hexdigest()[:32]}"'.encode()
        prompts = Prompts(tuple(chunks), sum(map(len, chunks)), etag)
        self._keep(audience, generation, prompts)
        return prompts

    def _keep(self, audience: Audience, generation: tuple[int, int], prompts: Prompts) -> None:
        self._kept[audience] = (generation, prompts)
        self._kept.move_to_end(audience)
        while (
            len(self._kept) > MOST_KEPT
            or sum(each.length for _, each in self._kept.values()) > MOST_KEPT_BYTES
        ):
            self._kept.popitem(last=False)
