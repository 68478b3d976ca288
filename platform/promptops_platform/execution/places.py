"""Limits how many runs of one caller, and of one workspace, are active at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from promptops_platform.errors import TooManyRequests

# For each active run, this many runs may wait.
WAITING_TIMES = 3
LONGEST_WAIT_SECONDS = 120.0
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """The maximum number of active runs, and the setting that configures it."""

    most: int
    setting: str

    @property
    def most_waiting(self) -> int:
        """How many more runs may wait."""
        return self.most * WAITING_TIMES


@dataclass(eq=False, slots=True)
class _Waiter:
    caller: str
    workspace_id: str
    place: "asyncio.Future[None]"


class Places:
    """Runs beyond a limit wait until another run ends; if too many wait, further runs are refused.

    A free place goes to the waiting caller with the fewest active runs.
    """

    def __init__(self, *, kind: str, per_caller: Limit, per_workspace: Limit) -> None:
        """`kind` is the name of the runs in messages: `playground calls`."""
        self._kind = kind
        self._per_caller = per_caller
        self._per_workspace = per_workspace
        self._callers: Counter[str] = Counter()
        self._workspaces: Counter[str] = Counter()
        self._waiters: list[_Waiter] = []

    @asynccontextmanager
    async def taken(self, caller: str, workspace_id: str) -> AsyncIterator[None]:
        """Hold a place until the block ends; raises what `take` raises."""
        await self.take(caller, workspace_id)
        try:
            yield
        finally:
            self.release(caller, workspace_id)

    async def take(self, caller: str, workspace_id: str) -> None:
        """Wait for a place, which has to be released; raises TooManyRequests if too many runs wait,
        or after LONGEST_WAIT_SECONDS."""
        if self._fits(caller, workspace_id):
            self._occupy(caller, workspace_id)
            return
        self._refuse_crowd(caller, workspace_id)
        waiter = _Waiter(caller, workspace_id, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await waiter.place
        except TimeoutError:
            self._give_up(waiter)
            raise self._refusal(caller) from None
        except BaseException:
            self._give_up(waiter)
            raise

    def release(self, caller: str, workspace_id: str) -> None:
        """Release a place."""
        _decrement(self._callers, caller)
        _decrement(self._workspaces, workspace_id)
        while fitting := [waiter for waiter in self._waiters if self._may_go(waiter)]:
            waiter = min(fitting, key=lambda waiter: self._callers[waiter.caller])
            self._waiters.remove(waiter)
            self._occupy(waiter.caller, waiter.workspace_id)
            waiter.place.set_result(None)

    def _may_go(self, waiter: _Waiter) -> bool:
        return not waiter.place.done() and self._fits(waiter.caller, waiter.workspace_id)

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        else:
            self.release(waiter.caller, waiter.workspace_id)

    def _fits(self, caller: str, workspace_id: str) -> bool:
        return (
            self._callers[caller] < self._per_caller.most
            and self._workspaces[workspace_id] < self._per_workspace.most
        )

    def _occupy(self, caller: str, workspace_id: str) -> None:
        self._callers[caller] += 1
        self._workspaces[workspace_id] += 1

    def _refuse_crowd(self, caller: str, workspace_id: str) -> None:
        own = sum(waiter.caller == caller for waiter in self._waiters)
        if own >= self._per_caller.most_waiting:
            raise self._refusal(caller)
        there = sum(waiter.workspace_id == workspace_id for waiter in self._waiters)
        if there >= self._per_workspace.most_waiting:
            raise self._refusal(caller)

    def _refusal(self, caller: str) -> TooManyRequests:
        limit, whose = self._per_workspace, "this workspace"
        if self._callers[caller] >= self._per_caller.most:
            limit, whose = self._per_caller, "you"
        return TooManyRequests(
            f"too many {self._kind} at once: {limit.most} of {whose} are in progress and others "
            f"wait for them; try again in {RETRY_AFTER_SECONDS} seconds, or have an admin raise "
            f"{limit.setting}",
            retry_after=RETRY_AFTER_SECONDS,
        )


def _decrement(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
