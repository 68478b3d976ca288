"""One watching connection: what it is sent, and in which order."""

import asyncio
import json
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime

from promptops_platform.access.actor import Actor
from promptops_platform.changes.schemas import Change

# From here on a watcher counts as slow and gets only the newest event of each key.
SLOW_AFTER = 256


@dataclass(frozen=True, slots=True)
class Client:
    """Who watches."""

    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime


class Watch:
    """The events that wait for one connection.

    Each event is queued as it comes; a connection that can't keep up gets the newest event of
    each key instead of being cut, so the queue is bounded by the number of keys.
    """

    def __init__(self, client: Client, actor: Actor, workspace: str | None) -> None:
        self.client = client
        self.actor = actor
        # Set when the session or key has ended with which the connection was opened.
        self.ended = asyncio.Event()
        self.workspace = workspace
        self._waiting: deque[Change] = deque()
        self._newest: OrderedDict[tuple[str, str], Change] = OrderedDict()
        self._filled = asyncio.Event()

    def wants(self, change: Change) -> bool:
        """Whether the change happened in the namespace that is watched; without one, in any that
        an API key is not kept from."""
        if self.client.namespace:
            return self.client.namespace == change.env
        return self.actor.may_enter(change.env)

    def put(self, change: Change) -> None:
        """Queue an event."""
        if self._newest or len(self._waiting) >= SLOW_AFTER:
            place = (change.env, change.key)
            self._newest.pop(place, None)
            self._newest[place] = change
        else:
            self._waiting.append(change)
        self._filled.set()

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._newest

    async def next_change(self) -> Change:
        """The next event; waits for one."""
        while True:
            if self._waiting:
                return self._waiting.popleft()
            if self._newest:
                return self._newest.popitem(last=False)[1]
            self._filled.clear()
            await self._filled.wait()


def message(change: Change) -> str:
    """An event as the wire contract has it."""
    return json.dumps(
        {
            "type": change.type,
            "id": change.resource_id,
            "key": change.key,
            "env": change.env,
            "version": change.version,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
