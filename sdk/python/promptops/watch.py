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
from promptops.fetcher import Fetcher
from promptops.following import Due, Following
from promptops.frames import FloodError
from promptops.listeners import Listeners, Untold
from promptops.memory import Failure, Known
from promptops.transport import Connector, Wakeup
from promptops.websocket import TOKEN_ENDED, ConnectionLostError, WebSocket

# Before it connects again to a server that floods it: the next flood costs as much.
FLOODED_SECONDS = 5.0

logger = logging.getLogger("promptops")

# So many messages are taken before the next fetch: many events of one key cost one fetch, but a
# stream of them can't put the fetches off for ever.
MESSAGES_AT_ONCE = 1000


class Watch:
    """Follows the server's events in a daemon thread, and reconnects as often as it has to.

    `connect` opens the event stream, for the first time after `delay` seconds. The thread ends when
    the connector is closed. Raises RuntimeError where the system has no thread to give.
    """

    def __init__(
        self,
        connector: Connector,
        connect: Callable[[Following], WebSocket],
        following: Following,
        fetcher: Fetcher,
        listeners: Listeners,
        untold: Untold,
        *,
        delay: float = 0.0,
        reconnect_backoff: Backoff | None = None,
        refused_backoff: Backoff | None = None,
    ) -> None:
        self._connector = connector
        self._connect = connect
        self._following = following
        self._fetcher = fetcher
        self._memory = fetcher.fetches.memory
        self._listeners = listeners
        self._untold = untold
        self._reconnect_backoff = reconnect_backoff or Backoff(initial=0.5, longest=10)
        # A refused token seldom becomes right by itself.
        self._refused_backoff = refused_backoff or Backoff(30, 300, shortest=10)
        self._delay = delay
        self._wakeup = Wakeup()
        fetcher.fetches.wake_watch = self._wakeup.set
        self._tried = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="promptops-watch", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            fetcher.fetches.watch_ended()
            self._wakeup.close()
            raise

    def wait_until_tried(self, seconds: float) -> None:
        """Until the first connection stands or has failed."""
        self._tried.wait(seconds)

    def abandon(self) -> None:
        """In a child process, where the thread is none: free the descriptors."""
        self._wakeup.close()

    def join(self, seconds: float) -> None:
        """Until the thread has ended; does nothing within it, in a listener."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._connector.sleep(self._delay)
            while not self._connector.closed:
                self._connector.sleep(self._follow())
        except ClientClosedError:
            logger.debug("hot reload ended, the client is closed")
        finally:
            self._tried.set()
            self._wakeup.close()

    def _follow(self) -> float:
        """Follow one connection to its end; answers how many seconds to wait before the next."""
        try:
            with contextlib.closing(self._connect(self._following)) as websocket:
                self._tried.set()
                self._listen_to(websocket)
        except ClientClosedError:
            raise
        except (UnauthorizedError, ForbiddenError) as error:
            pause = self._refused_backoff.delay()
            logger.warning("hot reload is refused, trying again in %.0f s: %s", pause, error)
            self._listeners.refused(error)
        except PromptOpsError as error:
            pause = self._reconnect_backoff.delay()
            if isinstance(error, FloodError):
                pause = max(pause, FLOODED_SECONDS)
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "hot reload stopped, reconnecting until it works: %s", error)
        # A fault of this SDK must not end hot reload for good.
        except Exception:
            pause = self._reconnect_backoff.delay()
            logger.exception("hot reload stopped, reconnecting")
        else:
            pause = 0.0
        self._failing = True
        self._tried.set()
        return pause

    def _listen_to(self, websocket: WebSocket) -> None:
        """Take events and refetch, until the connection or the client ends."""
        if self._failing:
            logger.warning("hot reload works again")
        self._failing = False
        self._following.connected()
        try:
            self._listeners.connected()
            self._listen(websocket)
        except ConnectionLostError as error:
            if error.code == TOKEN_ENDED:
                raise UnauthorizedError(401, "the token or session has ended") from error
            raise
        finally:
            self._following.disconnected()
            self._memory.unwatched()
            if not self._connector.closed:
                self._listeners.disconnected()

    def _listen(self, websocket: WebSocket) -> None:
        opened_at = websocket.heard_at
        while not self._connector.closed:
            self._take_messages(websocket)
            # Not at the handshake: a server that cuts every connection at once is left in peace.
            if websocket.heard_at > opened_at:
                self._reconnect_backoff.reset()
                self._refused_backoff.reset()
            self._following.look_at_the_clock()
            for report in self._following.reports():
                websocket.send(report)
            due = self._following.next_due()
            if due is not None:
                self._apply(due)

    def _take_messages(self, websocket: WebSocket) -> None:
        """Wait for messages until there is something else to do; note all that have come."""
        self._wakeup.clear()
        until_dead = websocket.heard_at + self._following.silence - time.monotonic()
        wait = max(min(until_dead, self._following.seconds_to_next()), 0.0)
        for _ in range(MESSAGES_AT_ONCE):
            message = websocket.receive(wait, self._wakeup)
            if message is None:
                break
            self._following.hear(message)
            wait = 0.0
        silent = time.monotonic() - websocket.heard_at
        if silent >= self._following.silence:
            raise ConnectionLostError(f"the server was silent for {silent:.0f} seconds")

    def _apply(self, due: Due) -> None:
        if due.is_deletion:
            self._following.forget(due)
            self._untold.tell()
            return
        before = self._memory.copy(due.key)
        outcome = self._following.is_here(due) or self._refetch(due)
        self._following.refetched(due, before, outcome)()

    def _refetch(self, due: Due) -> Known | Exception:
        with self._fetcher.fetches.asked_by_watch(due.key, due.stamp):
            try:
                outcome = self._fetcher.fresh(due.key)
            except ClientClosedError:
                raise
            # The next prompt is not held up by a fault of this SDK with this one.
            except Exception as error:  # noqa: BLE001 (logged as the failure it is)
                return error
        return outcome.error if isinstance(outcome, Failure) else outcome
