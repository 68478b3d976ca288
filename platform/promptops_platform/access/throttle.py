"""Bounds how often passwords may be tried."""

import hashlib

from promptops_platform.access import repository
from promptops_platform.access.try_counts import WINDOW, Limit, LimitReached, TryCounts
from promptops_platform.addresses import network
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import TooManyRequests
from promptops_platform.text import tidied

TRIES_PER_ACCOUNT = 10
# More people may sit behind one address.
TRIES_PER_ADDRESS = 50


class LoginThrottle:
    """Counts a try before the password is compared, so that tries at once count as well, and takes
    it back when the password was right."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._clock = clock
        self._counts = TryCounts(database, clock)

    async def count(self, username: str, address: str) -> None:
        """Count a try of this account from this address; raises TooManyRequests, then without
        counting, when either has used up its tries."""
        try:
            await self._counts.count(_limits(username, address))
        except LimitReached as reached:
            raise TooManyRequests(
                f"too many failed logins; try again in {reached.seconds} seconds",
                retry_after=reached.seconds,
            ) from reached

    async def succeeded(self, transaction: Transaction, username: str, address: str) -> None:
        """Forget the account's tries, and this one of the address, once this is committed."""
        account, *others = _limits(username, address)
        await repository.forget_tries(transaction.session, account.subject)

        async def forget() -> None:
            self._counts.forget(account.subject)
            for limit in others:
                self._counts.take_back(limit.subject)

        transaction.after_commit(forget)

    def take_back(self, username: str, address: str) -> None:
        """Uncount a try whose password was never compared."""
        for limit in _limits(username, address):
            self._counts.take_back(limit.subject)

    async def write(self) -> None:
        """Write what was counted and is not written yet."""
        await self._counts.write()

    async def clean(self, transaction: Transaction) -> None:
        """Delete what no window counts any more."""
        await repository.delete_old_tries(transaction.session, self._clock.now() - WINDOW)


def _limits(username: str, address: str) -> list[Limit]:
    """What is counted, the account first; the name is hashed, as callers may send anything, their
    passwords included."""
    name = hashlib.sha256(tidied(username).encode()).hexdigest()[:32]
    limits = [Limit(f"account:{name}", TRIES_PER_ACCOUNT)]
    if address:
        limits.append(Limit(f"address:{network(address)}", TRIES_PER_ADDRESS))
    return limits
