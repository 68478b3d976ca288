"""The thread that Prefect runs on.

On the main thread Prefect would install its own SIGTERM handler during a run, and a graceful stop
would crash that run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable

from promptops_flows.engine.logs import log

# How long a stop may take after the drain: for cancelled runs, Prefect's last events, and open
# connections.
STOP_SECONDS = 20.0


class PrefectThread(threading.Thread):
    """Serves until `stop`, which sets the event that `serve` gets; `failed` says that it ended for
    another reason."""

    def __init__(
        self, serve: Callable[[asyncio.Event], Awaitable[None]], drain_seconds: float
    ) -> None:
        super().__init__(name="prefect", daemon=True)
        self.failed = False
        self.ended = threading.Event()
        self._serve = serve
        self._drain_seconds = drain_seconds
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._served())
        except Exception:
            self.failed = True
            logging.getLogger("promptops.engine").exception("engine.failed")
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Stop gracefully, within the drain and some seconds for cleanup."""
        self._loop.call_soon_threadsafe(self._stop.set)
        cut = threading.Timer(self._drain_seconds + STOP_SECONDS, _exit_at_once)
        cut.daemon = True
        cut.start()

    async def _served(self) -> None:
        await self._serve(self._stop)


def _exit_at_once() -> None:
    # If the server stopped first, Prefect retries its last requests for a minute.
    log(logging.ERROR, "engine.stop_took_too_long")
    os._exit(1)
