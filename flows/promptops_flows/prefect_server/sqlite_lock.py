"""Makes Prefect's SQLite transactions acquire the write lock at their beginning.

Prefect opens most of them `DEFERRED`: they begin as readers and become writers at the first write.
SQLite refuses that at once (SQLITE_BUSY_SNAPSHOT, no busy timeout applies) if another connection
committed in between. The API then returns 503 "Service Unavailable", its client sleeps two seconds,
and under load runs fail. `IMMEDIATE` waits for the lock instead.

SQLite has no queue: a waiting connection sleeps and tries again, less often the longer it waits
(finally every 100 ms), and newcomers overtake it. Among 40 concurrent runs one transaction waited
five seconds, as long as all others together. So the transactions of this process wait in a queue
here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

import prefect
from prefect.server.database import configurations
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

PREFECT_VERSION = "3.8.8"
_PARAMETERS = ["self", "session", "with_for_update"]

_BeginTransaction = Callable[..., AbstractAsyncContextManager[AsyncSessionTransaction]]

# asyncio's lock is first in, first out.
_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class _Turn:
    """One transaction. After it, `open` is false, which tasks that were started in it can check."""

    open = True


_own_turn: ContextVar[_Turn | None] = ContextVar("_own_turn", default=None)


class UnknownPrefectError(RuntimeError):
    """The patch was not written and tested for the installed Prefect."""


def begin_immediate(*, installed: str = prefect.__version__) -> None:
    """Patch Prefect in this process; call this before the server's first transaction.

    Raises `UnknownPrefectError` if the version or the patched method isn't the expected one.
    """
    original = _known_begin_transaction(installed)

    @asynccontextmanager
    async def begin_transaction(
        self: configurations.AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,
    ) -> AsyncIterator[AsyncSessionTransaction]:
        async with _next_turn(), original(self, session, with_for_update=True) as transaction:
            # This begins the transaction. Afterwards the mode is reset: a session that only reads,
            # inside this one and in its context, would otherwise wait for this one's lock.
            await session.connection()
            token = configurations.SQLITE_BEGIN_MODE.set(None)
            try:
                yield transaction
            finally:
                configurations.SQLITE_BEGIN_MODE.reset(token)

    configurations.AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]


@asynccontextmanager
async def _next_turn() -> AsyncIterator[None]:
    """Wait in the queue. A transaction inside another one would wait there for itself, so it leaves
    the waiting to SQLite, which gives up in the end."""
    outer = _own_turn.get()
    if outer is not None and outer.open:
        yield
        return
    queue = _queues.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with queue:
        turn = _Turn()
        token = _own_turn.set(turn)
        try:
            yield
        finally:
            turn.open = False
            _own_turn.reset(token)


def _known_begin_transaction(installed: str) -> _BeginTransaction:
    if installed != PREFECT_VERSION:
        raise UnknownPrefectError(
            f"The SQLite lock fix is tested with Prefect {PREFECT_VERSION}, not {installed}. "
            f"Install prefect=={PREFECT_VERSION}, or set PREFECT_API_URL to a server of your own."
        )
    method = vars(configurations.AioSqliteConfiguration).get("begin_transaction")
    if method is None or list(inspect.signature(method).parameters) != _PARAMETERS:
        raise UnknownPrefectError(
            "The installed Prefect's AioSqliteConfiguration.begin_transaction isn't the known one. "
            f"Reinstall prefect=={PREFECT_VERSION}."
        )
    begin_transaction: _BeginTransaction = method
    return begin_transaction
