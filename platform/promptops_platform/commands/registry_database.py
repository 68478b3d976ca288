"""Commands that write directly to the registry database.

They need neither a token nor a running platform; a platform that is running sees their changes in
the change feed.
"""

import asyncio
from collections.abc import Awaitable, Callable

from promptops_platform.clock import SystemClock
from promptops_platform.commands.frame import guarded, read_settings
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.lifecycle import Platform

Action = Callable[[Platform, Transaction], Awaitable[None]]


def carry_out(action: Action) -> None:
    """Run `action` in a transaction; an expected error ends the program with one sentence."""
    settings = read_settings()

    async def run() -> None:
        platform = Platform(settings, SystemClock())
        try:
            await platform.open_registry()
            async with platform.database.write() as transaction:
                await action(platform, transaction)
        finally:
            await platform.database.close()

    guarded(lambda: asyncio.run(run()))
