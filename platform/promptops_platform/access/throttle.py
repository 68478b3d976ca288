"""Bounds how often passwords may be tried; the counters are in the database, for all replicas."""

import hashlib
import ipaddress
import math
from collections.abc import Sequence
from datetime import timedelta

from promptops_platform.access import repository
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import TooManyRequests

WINDOW = timedelta(minutes=15)
TRIES_PER_ACCOUNT = 10
# More people may sit behind one address.
TRIES_PER_ADDRESS = 50
# A provider gives each customer at least such a network, whose addresses cost nothing.
IPV6_NETWORK = 64


class LoginThrottle:
    """Counts a try before the password is compared, so that tries at once count as well, and takes
    it back when the password was right."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def count(self, username: str, address: str) -> None:
        """Count a try of this account from this address; raises TooManyRequests, then without
        counting, when either has used up its tries."""
        now = self._clock.now()
        async with self._database.write() as transaction:
            for subject, most in _subjects(username, address):
                tries, started_at = await repository.count_try(
                    transaction.session, subject, now, now - WINDOW
                )
                if tries > most:
                    seconds = math.ceil((started_at + WINDOW - now).total_seconds())
                    raise TooManyRequests(
                        f"too many failed logins; try again in {seconds} seconds",
                        retry_after=max(1, seconds),
                    )

    async def succeeded(self, transaction: Transaction, username: str, address: str) -> None:
        """Forget the account's tries, and this one of the address."""
        (account, _), *others = _subjects(username, address)
        await repository.forget_tries(transaction.session, account)
        for subject, _ in others:
            await repository.take_back_try(transaction.session, subject)

    async def take_back(self, username: str, address: str) -> None:
        """Uncount a try whose password was never compared."""
        async with self._database.write() as transaction:
            for subject, _ in _subjects(username, address):
                await repository.take_back_try(transaction.session, subject)

    async def clean(self, transaction: Transaction) -> None:
        """Delete what no window counts any more."""
        await repository.delete_old_tries(transaction.session, self._clock.now() - WINDOW)


def _subjects(username: str, address: str) -> Sequence[tuple[str, int]]:
    """What is counted, and how often it may fail; the name is hashed, as callers may send
    anything, their passwords included."""
    name = hashlib.sha256(username.encode()).hexdigest()[:32]
    subjects = [(f"account:{name}", TRIES_PER_ACCOUNT)]
    if address:
        subjects.append((f"address:{network(address)}", TRIES_PER_ADDRESS))
    return subjects


def network(address: str) -> str:
    """An IPv4 address as it is, of an IPv6 address the customer's network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
