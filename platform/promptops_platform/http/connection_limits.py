"""How long clients may keep the server waiting, and how many connections may be open without a
token."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum
from itertools import islice
from typing import Protocol

import structlog
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from promptops_platform.listen_addresses import network
from promptops_platform.settings import Settings

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1.0
LOG_SECONDS = 10.0
# A connection younger than this is never closed to make room: a client with a token sends it within
# this time.
GRACE_SECONDS = 1.0
# Time for a refused client to read the reason.
LINGER_SECONDS = 2.0
# How many times the limit may be open for a moment, if clients connect faster than the sweep closes
# connections.
BURST = 8
# The share of the open files for anonymous connections, including a burst.
SHARE_OF_FILES = 0.25
# How many connections are examined to find one that can be closed.
MOST_LOOKED_AT = 64


class Wait(Enum):
    """What a client has to do in time."""

    HEAD = "head"
    BODY = "body"
    READ = "read"
    CLOSE = "close"


class Limited(Protocol):
    """A connection, as the limits need it."""

    @property
    def waits_for_client(self) -> bool:
        """Whether the next move is the client's."""

    @property
    def has_unread(self) -> bool:
        """Whether the client has sent bytes that the server has not read yet."""

    def time_out(self, wait: Wait) -> None: ...
    def cut(self) -> None: ...


class Place:
    """A connection, or a proxied request, whose caller is not authenticated yet."""

    __slots__ = ("_limits", "address", "connection", "since")

    def __init__(
        self, limits: "ConnectionLimits", connection: Limited, address: str, since: float
    ) -> None:
        self._limits = limits
        self.connection = connection
        self.address = address
        self.since = since

    def leave(self) -> None:
        """The caller is authenticated, or the connection has ended. May be called repeatedly."""
        self._limits.remove(self)


class Heir(Protocol):
    """The protocol that takes over a connection, as a WebSocket."""

    def inherit(self, place: Place | None) -> None: ...


class Deadlines:
    """Deadlines by which clients have to do one thing."""

    def __init__(self, wait: Wait, seconds: float, now: Callable[[], float]) -> None:
        self.wait = wait
        self.seconds = seconds
        self._now = now
        self._times: dict[Limited, float] = {}

    def __bool__(self) -> bool:
        return bool(self._times)

    def expect(self, connection: Limited) -> None:
        """Start the client's deadline, counted from the first call while it is expected."""
        if connection not in self._times:
            self._times[connection] = self._now() + self.seconds

    def met(self, connection: Limited) -> None:
        """The client has done it, or has disconnected."""
        self._times.pop(connection, None)

    def end_overdue(self, now: float) -> None:
        overdue = [connection for connection, time in self._times.items() if time <= now]
        for connection in overdue:
            # Don't blame the client if the server was busy.
            if self.wait is Wait.CLOSE or not connection.has_unread:
                self.met(connection)
                connection.time_out(self.wait)


class ConnectionLimits:
    """Belongs to one server and its event loop.

    A connection has a place until its caller is authenticated. If there are too many, those that
    have kept the server waiting longest are closed, not the new ones, so that filling the places
    locks nobody out.
    """

    def __init__(self, settings: Settings, *, open_files: int) -> None:
        self.heads = Deadlines(Wait.HEAD, settings.head_seconds, self._now)
        self.bodies = Deadlines(Wait.BODY, settings.body_seconds, self._now)
        self.reads = Deadlines(Wait.READ, settings.body_seconds, self._now)
        self.closes = Deadlines(Wait.CLOSE, LINGER_SECONDS, self._now)
        self.max_body_bytes = settings.max_body_bytes
        most = int(open_files * SHARE_OF_FILES)
        self._most = min(settings.anonymous_connections, most)
        self._most_of_address = settings.anonymous_connections_per_address
        self._most_in_burst = min(self._most * BURST, most)
        self._proxies = (
            ProxyHeadersMiddleware(_no_application, settings.proxies).trusted_hosts
            if settings.proxies
            else ()
        )
        self._places: dict[Place, None] = {}
        self._places_of: dict[str, dict[Place, None]] = {}
        self._cut: Counter[str] = Counter()
        self._last_address = ""
        self._next_line = 0.0
        self._sweeping: asyncio.TimerHandle | None = None

    def is_proxy(self, address: str) -> bool:
        """Whether this peer is a proxy that is trusted to report its clients' addresses."""
        return address in self._proxies

    def forwarded_address(self, forwarded_for: str) -> str:
        """Return the client's address from the `X-Forwarded-For` of such a proxy."""
        if isinstance(self._proxies, tuple):
            return ""
        return self._proxies.get_trusted_client_address(forwarded_for)[0]

    def enter(self, connection: Limited, address: str) -> Place | None:
        """Return a place for an unauthenticated caller; None if there is no room."""
        now = self._now()
        if len(self._places) >= self._most_in_burst and not self._make_room():
            self.note("full", address)
            return None
        place = Place(self, connection, network(address), now)
        self._places[place] = None
        self._places_of.setdefault(place.address, {})[place] = None
        return place

    def remove(self, place: Place) -> None:
        if place not in self._places:
            return
        del self._places[place]
        of_address = self._places_of[place.address]
        del of_address[place]
        if not of_address:
            del self._places_of[place.address]

    def forget(self, connection: Limited) -> None:
        """The connection has ended, or became a WebSocket."""
        for deadlines in self._deadlines():
            deadlines.met(connection)

    def note(self, reason: str, address: str) -> None:
        """Count a connection that was closed for its behaviour, for the next line in the log."""
        self._cut[reason] += 1
        self._last_address = address
        self._now()

    def _deadlines(self) -> tuple[Deadlines, ...]:
        return self.heads, self.bodies, self.reads, self.closes

    def _now(self) -> float:
        """Return the loop's time. Also schedules the sweep, because each caller adds something for
        it."""
        loop = asyncio.get_running_loop()
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep)
        return loop.time()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deadlines in self._deadlines():
            deadlines.end_overdue(now)
        for places in list(self._places_of.values()):
            self._trim(places, len(places) - self._most_of_address, now, "address_cap")
        self._trim(self._places, len(self._places) - self._most, now, "cap")
        self._write_line(now)
        self._sweeping = None
        if self._places or self._cut or any(self._deadlines()):
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _trim(self, places: dict[Place, None], excess: int, now: float, reason: str) -> None:
        for place in _oldest(places, len(places) if excess > 0 else 0):
            if excess <= 0 or now - place.since < GRACE_SECONDS:
                return
            excess -= self._cut_off(place, reason)

    def _make_room(self) -> bool:
        return any(self._cut_off(place, "full") for place in _oldest(self._places, MOST_LOOKED_AT))

    def _cut_off(self, place: Place, reason: str) -> bool:
        if not place.connection.waits_for_client or place.connection.has_unread:
            return False
        place.leave()
        self.note(reason, place.address)
        place.connection.cut()
        return True

    def _write_line(self, now: float) -> None:
        if self._cut and now >= self._next_line:
            log.warning("connections_cut", last_address=self._last_address, **self._cut)
            self._cut.clear()
            self._next_line = now + LOG_SECONDS


def _oldest(places: Iterable[Place], number: int) -> list[Place]:
    return list(islice(places, number))


async def _no_application(*_: object) -> None:
    """Only the middleware's evaluation of addresses is used."""
