"""Limits the share of the event loop for requests that callers may send in floods: logins, and
calls of models.

Each active request lengthens every turn of the loop, and an edit takes dozens of turns. So only a
few of these requests are handled at once; the others wait, those of each caller in a separate
queue, and while something is being edited all of them wait.
"""

import re
from asyncio import get_running_loop
from collections.abc import Callable
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_platform.db.turns import WriterTurns
from promptops_platform.fair_queue import FairQueue
from promptops_platform.listen_addresses import network

AT_ONCE = 2
# A request that takes longer, because a part of the platform keeps it waiting, doesn't block
# others.
LONGEST_SECONDS = 0.25
FLOOD_PATHS = re.compile(
    r"/api/(?:login|me/password|playground/run|(?:agents|workflows)/[^/]+/run"
    r"|agents/[^/]+/tools/try)"
)

_leave: ContextVar[Callable[[], None] | None] = ContextVar("leave", default=None)


def leave_loop_share() -> None:
    """Called when a request begins to wait for something else, such as a model; does nothing for
    requests without a place."""
    leave = _leave.get()
    if leave is not None:
        leave()


class LoopShare:
    """Places, given to callers in turn."""

    def __init__(self, edits: WriterTurns, places: int = AT_ONCE) -> None:
        self._edits = edits
        self._queue = FairQueue(places)

    async def enter(self, caller: str) -> None:
        """Wait for a place, and until nothing is being edited."""
        await self._queue.enter(caller)
        try:
            await self._edits.wait_until_none_open()
        except BaseException:
            self._queue.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next request."""
        self._queue.leave()


class FloodGate:
    """Makes requests that may come in floods wait for a place, before their body is parsed."""

    def __init__(self, app: ASGIApp, share: LoopShare) -> None:
        self.app = app
        self._share = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not FLOOD_PATHS.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        await self._share.enter(_caller(scope))
        place = _Place(self._share)
        token = _leave.set(place.leave)
        timer = get_running_loop().call_later(LONGEST_SECONDS, place.leave)
        try:
            await self.app(scope, receive, send)
        finally:
            timer.cancel()
            _leave.reset(token)
            place.leave()


class _Place:
    def __init__(self, share: LoopShare) -> None:
        self._share: LoopShare | None = share

    def leave(self) -> None:
        if self._share is not None:
            self._share.leave()
            self._share = None


def _caller(scope: Scope) -> str:
    """Return the caller whose requests share a queue: an account or key, otherwise an address."""
    actor = scope.get("actor")
    if actor is not None:
        return f"caller {actor.caller_id}"
    client = scope.get("client")
    return f"address {network(client[0]) if client else ''}"
