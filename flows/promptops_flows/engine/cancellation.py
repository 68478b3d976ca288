"""Ends a run before its steps have finished: it was cancelled, or its follower is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Crashed

from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.telemetry.text_policy import TextPolicy

_ABANDONED = "the platform's connection to the run broke"


class RunCancelledError(Exception):
    """The run ends now, for the reason in its `Cancellation`."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """`by` is None if the run was abandoned."""

    by: str | None


class Cancellation:
    """Shared by one run and its inner runs. The first reason wins."""

    def __init__(self, texts: TextPolicy) -> None:
        self._texts = texts
        self._reason: _Reason | None = None
        self._scopes: set[asyncio.Timeout] = set()

    @property
    def is_requested(self) -> bool:
        return self._reason is not None

    def request(self, by: str) -> None:
        """Cancel the run on behalf of `by`."""
        self._request(_Reason(by))

    def abandon(self) -> None:
        """Stop the run because nobody follows it any more; it counts as crashed, not as
        cancelled."""
        self._request(_Reason(None))

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[None]:
        """Stops the code inside at once when a cancellation is requested; raises
        `RunCancelledError` instead of CancelledError."""
        if self.is_requested:
            raise RunCancelledError
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scopes.add(scope)
                yield
        except TimeoutError as error:
            if scope.expired():
                raise RunCancelledError from error
            raise
        finally:
            self._scopes.discard(scope)

    def end(self) -> RunFinished:
        """The result of the run."""
        assert self._reason is not None
        by = self._reason.by
        if by is None:
            return RunFinished("error", error=_ABANDONED, state="crashed")
        error = f"the run was cancelled by {by}"
        return RunFinished("error", error=error, state="cancelled", cancelled_by=by)

    def state(self) -> State[Any]:
        """The state in Prefect of the run and of each of its unfinished steps."""
        assert self._reason is not None
        by = self._reason.by
        if by is None:
            return Crashed(message=_ABANDONED)
        message = self._texts.redact(f"Cancelled by {by}")
        return Cancelled(message=printable(message, MESSAGE_CHARACTERS))

    def _request(self, reason: _Reason) -> None:
        if self._reason is None:
            self._reason = reason
            now = asyncio.get_running_loop().time()
            for scope in self._scopes:
                scope.reschedule(now)
