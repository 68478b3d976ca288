"""A worker's HTTP client for the platform.

`platform/promptops_platform/workers/schemas.py` describes requests and responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from promptops_flows.protocol.engine_protocol import EngineProtocolError, decode
from promptops_flows.protocol.run_request import RunRequest

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_REFUSED = (401, 403)
_AWAY = (408, 425, 429)
# Another worker has the run, or it is gone.
_LOST = (404, 409)
_RUNS = "/api/worker/runs/"


class PlatformUnavailable(Exception):
    """The platform is unavailable; the same request may succeed later."""


class RunLost(Exception):
    """The run isn't this worker's, or no longer; the message is one sentence with the reason."""


class RunNotRetried(RunLost):
    """Retry was pressed in Prefect for a run that can't be retried."""


class WorkerRefused(Exception):
    """The platform doesn't accept this worker; the message is one sentence with the reason."""


@dataclass(frozen=True, slots=True)
class PrefectLogin:
    """The address of Prefect's API; `auth` is `user:password`."""

    api_url: str
    auth: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that this worker has claimed. `attempt` counts from 1 and is part of all reports."""

    attempt: int
    request: RunRequest


@dataclass(frozen=True, slots=True)
class RunState:
    """The platform's instructions for a run that this worker executes."""

    run_id: str
    attempt: int
    is_lost: bool
    cancelled_by: str | None


class PlatformClient:
    """`worker` describes this worker; it is sent with each heartbeat."""

    def __init__(self, server: str, key: str, worker: dict[str, Any]) -> None:
        self._worker = worker
        self._http = httpx.AsyncClient(
            base_url=server, headers={"authorization": f"Bearer {key}"}, timeout=_TIMEOUT
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def register(self) -> PrefectLogin | None:
        """Register this worker; returns the login for Prefect if the platform provides one."""
        answer = await self._post("/api/worker/register", self._worker)
        prefect = answer.get("prefect")
        return None if prefect is None else PrefectLogin(prefect["api_url"], prefect["auth"])

    async def heartbeat(self, running: dict[str, int]) -> list[RunState]:
        """Send a heartbeat with the runs that this worker executes and their attempts."""
        runs = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in running.items()]
        answer = await self._post("/api/worker/heartbeat", {**self._worker, "running": runs})
        return [RunState(**state) for state in answer["runs"]]

    async def claim(self, flow_run_id: str, *, is_retry: bool) -> ClaimedRun:
        """Claim the run of a flow run; raises `RunLost` if another worker has it, and
        `RunNotRetried`."""
        body = {"worker": self._id, "is_retry": is_retry}
        answer = await self._post(f"{_RUNS}{flow_run_id}/claim", body)
        try:
            request = decode(answer["run"].encode("ascii"))
        except EngineProtocolError as error:
            raise WorkerRefused(
                f"the platform sent a run that this worker can't read ({error}); install the "
                "platform's release here"
            ) from error
        assert isinstance(request, RunRequest)
        return ClaimedRun(answer["attempt"], request)

    async def report(
        self, run_id: str, attempt: int, first: int, events: Sequence[str]
    ) -> str | None:
        """Send a run's events, from the event number `first` on; returns who requested its
        cancellation. Idempotent. Raises `RunLost`."""
        body = {"worker": self._id, "attempt": attempt, "first": first, "events": list(events)}
        answer = await self._post(f"{_RUNS}{run_id}/events", body)
        cancelled_by: str | None = answer["cancelled_by"]
        return cancelled_by

    async def hand_back(self, run_id: str, attempt: int) -> None:
        """Release a run for another worker; raises `RunLost` if another worker has it already."""
        body = {"worker": self._id, "attempt": attempt}
        await self._post(f"{_RUNS}{run_id}/return", body)

    async def leave(self) -> None:
        """Unregister this worker; its remaining runs are given to other workers at once."""
        await self._post("/api/worker/leave", {"worker": self._id})

    @property
    def _id(self) -> str:
        worker_id: str = self._worker["id"]
        return worker_id

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._http.post(path, json=body)
        except httpx.HTTPError as error:
            raise PlatformUnavailable(
                f"the platform can't be reached ({type(error).__name__})"
            ) from error
        if answer.is_success:
            fields: dict[str, Any] = answer.json()
            return fields
        raise _as_error(answer, is_of_run=path.startswith(_RUNS))


def _as_error(answer: httpx.Response, *, is_of_run: bool) -> Exception:
    status = answer.status_code
    if status >= 500 or status in _AWAY:
        return PlatformUnavailable(f"the platform returned HTTP {status}")
    fields: dict[str, Any] = {}
    # A proxy between worker and platform may have sent the response.
    with suppress(ValueError, TypeError):
        fields = dict(answer.json())
    sentence = str(fields.get("error") or f"the platform returned HTTP {status}")
    if not is_of_run or status not in _LOST:
        return WorkerRefused(sentence)
    return RunNotRetried(sentence) if fields.get("not_retried") else RunLost(sentence)
