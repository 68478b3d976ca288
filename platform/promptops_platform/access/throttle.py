"""Limits how often passwords may be tried."""

import hashlib
from typing import NamedTuple

from promptops_platform.access import repository
from promptops_platform.access.familiar_places import FamiliarPlaces
from promptops_platform.access.try_counts import WINDOW, Limit, LimitReached, TryCounts
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import TooManyRequests
from promptops_platform.field_types import tidied
from promptops_platform.listen_addresses import network

TRIES_PER_ACCOUNT = 10
# Several people may share one address.
TRIES_PER_ADDRESS = 50


class Try(NamedTuple):
    """What one try counts for: an account, or its owner at a place, and possibly an address."""

    account: Limit
    address: Limit | None

    @property
    def limits(self) -> list[Limit]:
        return [self.account] if self.address is None else [self.account, self.address]


class LoginThrottle:
    """Counts a try before the password is compared, so that concurrent tries count as well, and
    takes it back if the password was correct.

    Strangers who guess lock an account for strangers only: whoever has logged in before from the
    same network, or has a session of the account, has a separate limit.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._clock = clock
        self._counts = TryCounts(database, clock)
        self._places = FamiliarPlaces(database, clock)

    async def count(self, username: str, address: str, *, has_session: bool = False) -> Try:
        """Count a try of this account from this address; raises TooManyRequests without counting if
        either has used up its tries."""
        name = tidied(username)
        if has_session:
            return await self._counted(Try(_limit("session", name), None))
        by_address = None
        if address:
            by_address = Limit(f"address:{network(address)}", TRIES_PER_ADDRESS)
        by_stranger = Try(_limit("account", name), by_address)
        try:
            await self._counts.count(by_stranger.limits)
        except LimitReached as reached:
            is_account = reached.subject == by_stranger.account.subject
            if not is_account or not await self._places.include(name, address):
                raise _refused(reached) from reached
            by_owner = _limit("place", f"{network(address)} {name}")
            return await self._counted(Try(by_owner, by_address))
        return by_stranger

    async def succeeded(self, transaction: Transaction, tried: Try) -> None:
        """Reset the account's tries, and take back this one of the address, once this is
        committed."""
        await repository.forget_tries(transaction.session, tried.account.subject)

        async def forget() -> None:
            self._counts.forget(tried.account.subject)
            if tried.address is not None:
                self._counts.take_back(tried.address.subject)

        transaction.after_commit(forget)

    async def remember_place(self, transaction: Transaction, user_id: str, address: str) -> None:
        """Record that the account's owner has logged in from there."""
        await self._places.remember(transaction, user_id, address)

    async def forget_places(self, transaction: Transaction, user_id: str) -> None:
        """Delete all places: whoever knew the old password may have logged in from anywhere."""
        await self._places.forget(transaction, user_id)

    def take_back(self, tried: Try) -> None:
        """Take back a try whose password was never compared."""
        for limit in tried.limits:
            self._counts.take_back(limit.subject)

    async def write(self) -> None:
        """Write counts that are not written yet."""
        await self._counts.write()

    async def clean(self, transaction: Transaction) -> None:
        """Delete tries that no window counts any more."""
        await repository.delete_old_tries(transaction.session, self._clock.now() - WINDOW)

    async def _counted(self, tried: Try) -> Try:
        try:
            await self._counts.count(tried.limits)
        except LimitReached as reached:
            raise _refused(reached) from reached
        return tried


def _limit(kind: str, name: str) -> Limit:
    """The name is hashed, because callers may send anything, including their passwords."""
    return Limit(f"{kind}:{hashlib.sha256(name.encode()).hexdigest()[:32]}", TRIES_PER_ACCOUNT)


def _refused(reached: LimitReached) -> TooManyRequests:
    return TooManyRequests(
        f"too many failed logins; try again in {reached.seconds} seconds",
        retry_after=reached.seconds,
    )
