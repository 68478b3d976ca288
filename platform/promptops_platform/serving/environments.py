"""All prompts of an environment in one response, prepared once for all callers who may see the same
prompts."""

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
from promptops_platform.serving.snapshot import Snapshot

# How many of the latest responses are kept. Misspelled environments cost nothing, because they are
# empty.
MOST_KEPT_BYTES = 32 * 1024 * 1024
MOST_KEPT = 100
# Yield to other requests after this much work or this many bytes.
PROMPTS_AT_ONCE = 200
CHUNK_BYTES = 128 * 1024

# Environment, and the workspaces that the caller fetches from.
Audience = tuple[str, frozenset[str]]


class Prompts(NamedTuple):
    """The list of a response, in chunks, and the ETag that identifies it."""

    chunks: tuple[bytes, ...]
    length: int
    etag: bytes


class EnvironmentAnswer(NamedTuple):
    """`head` contains the revision, and precedes the list; the ETag identifies the list, so it
    doesn't change with changes elsewhere."""

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
    """Builds responses; concurrent callers share one."""

    def __init__(self, snapshot: Snapshot, grants: Grants, feed: Feed) -> None:
        self._snapshot = snapshot
        self._grants = grants
        self._feed = feed
        self._kept: OrderedDict[Audience, tuple[tuple[int, int], Prompts]] = OrderedDict()
        self._building: dict[tuple[Audience, tuple[int, int]], asyncio.Task[Prompts]] = {}

    async def answer(self, actor: Actor, env: str, workspace: str | None) -> EnvironmentAnswer:
        """Return what the caller may fetch in the environment; raises Forbidden, and NotFound for
        the workspace."""
        require_environment(actor, env)
        audience = (env, self._workspaces(actor, workspace))
        # Read before the prompts are looked up, so that they are of this revision or a later one.
        feed = self._feed
        head = {"epoch": feed.epoch, "revision": feed.applied, "env": env}
        start = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"prompts":'
        return EnvironmentAnswer(start.encode(), await self._prompts(audience))

    def _workspaces(self, actor: Actor, workspace: str | None) -> frozenset[str]:
        workspace_name = actor.workspace_id or workspace
        if not workspace_name:
            return self._grants.implicit(actor)
        workspace_id = self._grants.find(actor, workspace_name)
        if workspace_id is None:
            raise NotFound(
                f"workspace {quoted(workspace_name)} not found; GET /api/workspaces lists them"
            )
        return frozenset({workspace_id})

    async def _prompts(self, audience: Audience) -> Prompts:
        generation = self._snapshot.generation(audience[0])
        kept = self._kept.get(audience)
        if kept is not None and kept[0] == generation:
            self._kept.move_to_end(audience)
            return kept[1]
        key = (audience, generation)
        task = self._building.get(key)
        if task is None:
            task = self._building[key] = asyncio.create_task(self._build(audience, generation))
            task.add_done_callback(lambda _done: self._building.pop(key))
        return await asyncio.shield(task)

    async def _build(self, audience: Audience, generation: tuple[int, int]) -> Prompts:
        env, workspaces = audience
        entries = await asyncio.to_thread(self._snapshot.environment, env, workspaces)
        chunks: list[bytes] = []
        digest = hashlib.sha256()
        part = bytearray(b"[")
        for number, (_key, entry) in enumerate(entries):
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
            or sum(prompts.length for _, prompts in self._kept.values()) > MOST_KEPT_BYTES
        ):
            self._kept.popitem(last=False)
