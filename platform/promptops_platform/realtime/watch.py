"""One watching connection: who it is, and what waits for it."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from promptops_platform.changes.schemas import Change
from promptops_platform.realtime import messages
from promptops_platform.realtime.connection import WatchConnection
from promptops_platform.realtime.view import View

# From here on an existing client counts as slow and gets only the newest event of each key.
SLOW_AFTER = 256
# A client that resumes is cut off when it leaves that much unread: it resumes.
MOST_UNREAD = 256 * 1024
TOO_SLOW = 4408
NO_KEYS: frozenset[str] = frozenset()


# Looked at by people, who hold no prompts: a publish neither waits for it nor counts it.
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
    """Events that wait for an existing client.

    One that can't keep up gets the newest event of each key instead of being cut, so the backlog
    is bounded by the number of keys.
    """

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._newest: OrderedDict[tuple[str, str], Change] = OrderedDict()

    def put(self, change: Change) -> None:
        if self._newest or len(self._waiting) >= SLOW_AFTER:
            place = (change.env, change.key)
            self._newest.pop(place, None)
            self._newest[place] = change
        else:
            self._waiting.append(change)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._newest)

    def take(self) -> Change:
        """The next event; there must be one."""
        return self._waiting.popleft() if self._waiting else self._newest.popitem(last=False)[1]


class Watch:
    """The connection of an existing client, which says nothing of revisions."""

    __slots__ = ("_backlog", "_is_open", "client", "connection", "view")

    def __init__(self, client: Client, view: View, connection: WatchConnection) -> None:
        self.client = client
        self.view = view
        self.connection = connection
        self._is_open = False
        self._backlog: Backlog | None = None

    def open(self) -> None:
        """The quiet time after the handshake is over."""
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
        """Send what waits, as far as it is `still` true and the client reads."""
        while self._is_open and self._backlog and not self.connection.is_paused:
            change = self._backlog.take()
            if still(change):
                self.connection.write(messages.event(change))

    def ping(self) -> None:
        if self._is_open and not self.connection.is_paused:
            self.connection.write(messages.PING)


class Follower:
    """The connection of a client that resumes: what it was sent, and what it says of itself.

    `position` is a revision up to which nothing is to be sent any more. Until `is_live` it is told
    what it has missed, and the hub passes it over.
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
        "view",
    )

    def __init__(
        self, client: Client, view: View, connection: WatchConnection, position: int
    ) -> None:
        self.client = client
        self.view = view
        self.connection = connection
        self.position = position
        self.is_live = False
        # What it has reported: the revision that it has applied, when, and the keys that it holds.
        self.applied: int | None = None
        self.reported_at: datetime | None = None
        self.keys = NO_KEYS
        self._was_paused = False

    def is_stuck(self) -> bool:
        """Whether it did not read enough since this was asked last, a period ago."""
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
