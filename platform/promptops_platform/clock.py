"""The source of the current time, so that tests can set it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Source of the current time."""

    def now(self) -> datetime:
        """Return the current time in UTC, with its zone."""

    def monotonic(self) -> float:
        """Return seconds that pass independently of the clock's setting; only differences are
        meaningful."""

    async def sleep(self, seconds: float) -> None:
        """Wait for this time."""


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock whose time changes only when a test advances or sets it."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by this time."""
        end = self._now + timedelta(seconds=seconds)
        while self._now < end:
            await self._moved.wait()

    def advance(self, by: timedelta) -> None:
        """Let this time pass."""
        self._monotonic += by.total_seconds()
        self.set_by(by)

    def set_by(self, by: timedelta) -> None:
        """Set the clock forward or back, without time passing."""
        self._now += by
        self._moved.set()
        self._moved = asyncio.Event()
