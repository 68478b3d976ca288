"""Short messages between replicas that may be lost, and so need no row of the change feed."""

from collections import deque
from collections.abc import Callable

from promptops_platform.changes.replicas import Replicas

# PostgreSQL takes 8,000 bytes, the id of the replica included.
LONGEST_SIGNAL = 7900
# At most this many wait while the database can't be reached; older ones are dropped.
MOST_WAITING = 200


class Signals:
    """Sends messages to all other replicas and receives theirs. On SQLite there are none."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._listeners: list[Callable[[str], None]] = []

    @property
    def have_receivers(self) -> bool:
        """Whether there is another replica that would receive a signal."""
        return bool(self._replicas.others)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with each text that another replica sends, also of another release."""
        self._listeners.append(listener)

    def send(self, text: str) -> None:
        """Send a text of at most LONGEST_SIGNAL bytes, its replica's id included."""
        self._waiting.append(self.payload(text))
        self._replicas.progress.set()

    def payload(self, text: str) -> str:
        """The text after the id of this replica, as it is sent."""
        return f"{self._replicas.id} {text}"

    def take(self) -> list[str]:
        """Remove and return the messages that wait to be sent."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def receive(self, payload: str) -> None:
        """Handle a notification, which may come from this replica itself."""
        sender, _, text = payload.partition(" ")
        if sender == self._replicas.id:
            return
        for listener in self._listeners:
            listener(text)
