"""Signals the start of a stop to responses that would otherwise delay it."""

import asyncio
from collections.abc import Callable


class StopSignal:
    """Set once, when the platform begins to stop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the stop begins."""
        self._listeners.append(listener)

    @property
    def is_set(self) -> bool:
        """Whether the platform is stopping."""
        return self._begun.is_set()

    def set(self) -> None:
        """Begin the stop. May be called repeatedly."""
        if not self._begun.is_set():
            self._begun.set()
            for listener in self._listeners:
                listener()

    async def wait(self) -> None:
        """Wait for the start of the stop."""
        await self._begun.wait()
