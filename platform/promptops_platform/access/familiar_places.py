"""The networks from which the owner of an account has logged in before."""

import asyncio
from collections import OrderedDict
from datetime import timedelta

from promptops_platform.access import place_repository
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.listen_addresses import network

MOST_PLACES = 20
REMEMBERED = timedelta(days=90)
# Each try for a locked account reads this; a flood of tries must not cause a flood of queries.
CACHED_SECONDS = 30.0
MOST_CACHED = 10_000

# An account's name and a network.
Place = tuple[str, str]


class FamiliarPlaces:
    """Stores the networks of the latest logins of each account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cached: OrderedDict[Place, tuple[float, bool]] = OrderedDict()
        self._asking = asyncio.Lock()

    async def include(self, username: str, address: str) -> bool:
        """Whether there was a login to the account from this network."""
        place = (username[:200], network(address))
        is_familiar = self._answer(place)
        if is_familiar is not None:
            return is_familiar
        async with self._asking:
            # A concurrent try from there may have read it meanwhile.
            is_familiar = self._answer(place)
            if is_familiar is None:
                is_familiar = await self._ask(place)
        return is_familiar

    async def remember(self, transaction: Transaction, user_id: str, address: str) -> None:
        """Record a login, and delete the oldest places."""
        if address:
            await place_repository.remember(
                transaction.session, user_id, network(address), self._clock.now(), MOST_PLACES
            )
            transaction.after_commit(self._ask_again)

    async def forget(self, transaction: Transaction, user_id: str) -> None:
        """Delete all places of an account."""
        await place_repository.forget(transaction.session, user_id)
        transaction.after_commit(self._ask_again)

    def _answer(self, place: Place) -> bool | None:
        cached = self._cached.get(place)
        if cached is None or self._clock.monotonic() - cached[0] >= CACHED_SECONDS:
            return None
        return cached[1]

    async def _ask(self, place: Place) -> bool:
        since = self._clock.now() - REMEMBERED
        async with self._database.read() as transaction:
            is_familiar = await place_repository.is_familiar(transaction.session, *place, since)
        self._cached[place] = (self._clock.monotonic(), is_familiar)
        self._cached.move_to_end(place)
        if len(self._cached) > MOST_CACHED:
            self._cached.popitem(last=False)
        return is_familiar

    async def _ask_again(self) -> None:
        self._cached.clear()
