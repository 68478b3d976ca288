"""One watching connection: its caller, and the events that wait for it."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from promptops_platform.changes.schemas import Change
from promptops_platform.realtime import messages
from promptops_platform.realtime.connection import WatchConnection
from promptops_platform.realtime.subscription import Subscription

# With this many waiting events an existing client counts as slow, and gets only the newest event of
# each key.
SLOW_AFTER = 256
# A resuming client is cut off when this much is unread, because it can resume later.
MOST_UNREAD = 256 * 1024
TOO_SLOW = 4408
NO_KEYS: frozenset[str] = frozenset()


# Consoles have no prompts in memory: a publish neither waits for them nor counts them.
CONSOLE = "console"


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
    version: str = ""


class Backlog:
    """Events that wait for an existing client. A client that can't keep up gets only the newest
    event of each key instead of being cut off, so the number of keys bounds the backlog.
    """

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._newest: OrderedDict[tuple[str, str, str], Change] = OrderedDict()

    def put(self, change: Change) -> None:
        if self._newest or len(self._waiting) >= SLOW_AFTER:
            # A console receives events about more than prompts, and some of these have no key.
            kind, _, _ = change.type.partition(".")
            place = (kind, change.env, change.key or change.resource_id)
            self._newest.pop(place, None)
            self._newest[place] = change
        else:
            self._waiting.append(change)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._newest)

    def take(self) -> Change:
        """Return the next event; there must be one."""
        return self._waiting.popleft() if self._waiting else self._newest.popitem(last=False)[1]


class LegacyWatcher:
    """The connection of an existing client, which does not use revisions."""

    __slots__ = ("_backlog", "_is_open", "client", "connection", "subscription")

    def __init__(
        self, client: Client, subscription: Subscription, connection: WatchConnection
    ) -> None:
        self.client = client
        self.subscription = subscription
        self.connection = connection
        self._is_open = False
        self._backlog: Backlog | None = None

    def open(self) -> None:
        """End the quiet time after the handshake."""
        self._is_open = True

    def send(self, change: Change, frame: bytes) -> None:
        """Send an event, or keep it until the client has read."""
        if self._is_open and not self._backlog and not self.connection.is_paused:
            self.connection.write(frame)
            return
        if self._backlog is None:
            self._backlog = Backlog()
        self._backlog.put(change)

    def flush(self, still: Callable[[Change], bool]) -> None:
        """Send waiting events that are `still` true, as long as the client reads."""
        encoded = messages.console_event if self.subscription.is_console else messages.event
        while self._is_open and self._backlog and not self.connection.is_paused:
            change = self._backlog.take()
            if still(change):
                self.connection.write(encoded(change))

    def ping(self) -> None:
        if self._is_open and not self.connection.is_paused:
            self.connection.write(messages.PING)


class ResumingWatcher:
    """The connection of a resuming client: what was sent to it, and what it reports about itself.
    Changes up to the revision `position` are not sent any more. Until `is_live`, `Resumption` sends
    what the client has missed, and the hub skips it.
    """

    __slots__ = (
        "_was_paused",
        "applied",
        "client",
        "connection",
        "is_live",
        "keys",
        "position",
        "reported_at",
        "subscription",
    )

    def __init__(
        self, client: Client, subscription: Subscription, connection: WatchConnection, position: int
    ) -> None:
        self.client = client
        self.subscription = subscription
        self.connection = connection
        self.position = position
        self.is_live = False
        # Its reports: the applied revision, since when, and the keys in its memory.
        self.applied: int | None = None
        self.reported_at: datetime | None = None
        self.keys = NO_KEYS
        self._was_paused = False

    def is_stuck(self) -> bool:
        """Whether it has read too little since the last call, one period ago."""
        was, self._was_paused = self._was_paused, self.connection.is_paused
        return was and self._was_paused

    def send(self, frame: bytes) -> None:
        """Send a frame, or cut the client off because it does not read."""
        if self.connection.is_paused and self.connection.unread > MOST_UNREAD:
            self.cut()
        else:
            self.connection.write(frame)

    def cut(self) -> None:
        self.connection.end(TOO_SLOW, "too slow to read; connect again with since")
