"""The work pools that this engine takes flow runs from; Prefect shows them as online."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from promptops_flows.engine.prefect_api import PrefectApi, is_conflict, is_missing

# A type that Prefect's own workers don't know, so that they take no runs from the pool.
POOL_TYPE = "promptops"
HEARTBEAT_SECONDS = 20
_DESCRIPTION = "Runs of PromptOps; its run engine or its workers take them"


class WorkPools:
    """A pool may be deleted in Prefect at any time, and with it all of its deployments."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api

    async def ensure(self, name: str) -> None:
        """Create the pool if it doesn't exist."""
        try:
            await self._api.get(pool_path(name))
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise
            await self._create(name)

    async def _create(self, name: str) -> None:
        pool = {"name": name, "type": POOL_TYPE, "description": _DESCRIPTION}
        try:
            await self._api.post("/work_pools/", pool)
        except httpx.HTTPStatusError as error:
            # Another engine created it first.
            if not is_conflict(error):
                raise

    async def send_heartbeat(self, name: str, worker: str) -> None:
        """Send a heartbeat, so that Prefect shows the pool as online."""
        beat = {"name": worker, "heartbeat_interval_seconds": HEARTBEAT_SECONDS}
        await self._api.post(f"{pool_path(name)}/workers/heartbeat", beat)

    async def due(self, name: str, now: str, most: int) -> list[dict[str, Any]]:
        """Flow runs whose time has come, within the pauses and limits that are set in Prefect."""
        body = {"scheduled_before": now, "limit": most}
        rows = await self._api.post(f"{pool_path(name)}/get_scheduled_flow_runs", body)
        return [row["flow_run"] for row in rows]


def pool_path(name: str) -> str:
    """The pool's path in the API."""
    return f"/work_pools/{quote(name, safe='')}"
