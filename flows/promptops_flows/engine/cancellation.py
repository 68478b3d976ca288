"""Ending a run before its steps have: somebody cancels it, or nobody follows it any more."""

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
    """The run ends now, as its `Cancellation` says."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """`by` is None where the run was abandoned."""

    by: str | None


class Cancellation:
    """Of one run and the runs inside of it. The first reason stands."""

    def __init__(self, texts: TextPolicy) -> None:
        self._texts = texts
        self._reason: _Reason | None = None
        self._scopes: set[asyncio.Timeout] = set()

    @property
    def is_requested(self) -> bool:
        return self._reason is not None

    def request(self, by: str) -> None:
        """Somebody cancels the run, `by` says who."""
        self._request(_Reason(by))

    def abandon(self) -> None:
        """Nobody follows the run any more; it does not count as cancelled, it has crashed."""
        self._request(_Reason(None))

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[None]:
        """What it holds is stopped at once; raises `RunCancelledError`, and no CancelledError."""
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
        """How the run ended."""
        assert self._reason is not None
        by = self._reason.by
        if by is None:
            return RunFinished("error", error=_ABANDONED, state="crashed")
        error = f"the run was cancelled by {by}"
        return RunFinished("error", error=error, state="cancelled", cancelled_by=by)

    def state(self) -> State[Any]:
        """How Prefect is to show the run, and each of its steps that was under way."""
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
