"""The thread that listens to the server and keeps what the client holds up to date."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from promptops.backoff import Backoff
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    PromptOpsError,
    UnauthorizedError,
)
from promptops.refetching import Refetching
from promptops.transport import Connector
from promptops.websocket import ConnectionLostError, WebSocket

logger = logging.getLogger("promptops")

# The server pings at least every 4 seconds: a connection without a byte for this long is dead.
SILENCE_SECONDS = 15.0
# So many messages are taken before the next fetch: many events of one key cost one fetch, but a
# stream of them can't put the fetches off for ever.
MESSAGES_AT_ONCE = 1000


class Watch:
    """Follows the server's events in a daemon thread, and reconnects as often as it has to.

    `connect` opens the event stream. The thread ends when the connector is closed.
    """

    def __init__(
        self,
        connector: Connector,
        connect: Callable[[], WebSocket],
        refetching: Refetching,
        *,
        silence: float = SILENCE_SECONDS,
        reconnect_backoff: Backoff | None = None,
        refused_backoff: Backoff | None = None,
    ) -> None:
        self._connector = connector
        self._connect = connect
        self._refetching = refetching
        self._silence = silence
        self._reconnect_backoff = reconnect_backoff or Backoff(initial=0.5, longest=10)
        # A refused token seldom becomes right by itself.
        self._refused_backoff = refused_backoff or Backoff(30, 300, shortest=10)
        self._tried = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="promptops-watch", daemon=True)
        self._thread.start()

    def wait_until_tried(self, seconds: float) -> None:
        """Until the first connection stands or has failed."""
        self._tried.wait(seconds)

    def join(self, seconds: float) -> None:
        """Until the thread has ended; does nothing within it, in an `on_update`."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._connector.closed:
                self._connector.sleep(self._follow())
        except ClientClosedError:
            logger.debug("hot reload ended, the client is closed")
        finally:
            self._tried.set()

    def _follow(self) -> float:
        """Follow one connection to its end; answers how many seconds to wait before the next."""
        try:
            with contextlib.closing(self._connect()) as websocket:
                self._tried.set()
                self._listen(websocket)
        except ClientClosedError:
            raise
        except (UnauthorizedError, ForbiddenError) as error:
            pause = self._refused_backoff.delay()
            logger.warning("hot reload is refused, trying again in %.0f s: %s", pause, error)
        except PromptOpsError as error:
            pause = self._reconnect_backoff.delay()
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "hot reload stopped, reconnecting until it works: %s", error)
        else:
            pause = 0.0
        self._failing = True
        self._tried.set()
        return pause

    def _listen(self, websocket: WebSocket) -> None:
        """Take events and refetch, until the connection or the client ends."""
        if self._failing:
            logger.warning("hot reload works again")
        self._failing = False
        self._refetching.note_new_connection()
        opened_at = websocket.heard_at
        while not self._connector.closed:
            self._take_messages(websocket)
            # Not at the handshake: a server that cuts every connection at once is left in peace.
            if websocket.heard_at > opened_at:
                self._reconnect_backoff.reset()
                self._refused_backoff.reset()
            self._refetching.refetch_next()

    def _take_messages(self, websocket: WebSocket) -> None:
        """Wait for messages until there is something to refetch; note all that have come."""
        until_dead = websocket.heard_at + self._silence - time.monotonic()
        wait = max(min(until_dead, self._refetching.seconds_to_next()), 0.0)
        for _ in range(MESSAGES_AT_ONCE):
            message = websocket.receive(wait)
            if message is None:
                break
            self._refetching.note_event(message)
            wait = 0.0
        silent = time.monotonic() - websocket.heard_at
        if silent >= self._silence:
            raise ConnectionLostError(f"the server was silent for {silent:.0f} seconds")
