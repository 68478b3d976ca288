"""Makes Prefect's SQLite transactions take the write lock at their beginning.

Prefect opens most of them `DEFERRED`: they begin as readers and turn into writers at the first
write. SQLite refuses that turn at once (SQLITE_BUSY_SNAPSHOT, no busy timeout applies) when
another connection committed in between. The API then answers 503 "Service Unavailable", its
client sleeps two seconds, and under load runs fail. `IMMEDIATE` waits for its turn instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import prefect
from prefect.server.database import configurations
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

PREFECT_VERSION = "3.8.8"
_PARAMETERS = ["self", "session", "with_for_update"]

_BeginTransaction = Callable[..., AbstractAsyncContextManager[AsyncSessionTransaction]]


class UnknownPrefectError(RuntimeError):
    """The installed Prefect isn't the one this patch was written and tested against."""


def begin_immediate(*, installed: str = prefect.__version__) -> None:
    """Patch Prefect in this process; to be called before the server's first transaction.

    Raises `UnknownPrefectError` when the version or the patched method isn't the known one.
    """
    original = _known_begin_transaction(installed)

    def begin_transaction(
        self: configurations.AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return original(self, session, with_for_update=True)

    configurations.AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign,assignment]


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
    known: _BeginTransaction = method
    return known
