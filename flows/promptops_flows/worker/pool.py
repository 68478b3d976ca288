"""The work pool that a worker takes its runs from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from promptops_flows.engine.prefect_api import PrefectApi, is_missing
from promptops_flows.engine.prefect_buttons import RETRY_NAME
from promptops_flows.engine.restored_ends import NOT_RETRIED, restore_end
from promptops_flows.engine.work_pools import WorkPools


@dataclass(frozen=True, slots=True)
class DueFlowRun:
    """`is_retry` if somebody has pressed Retry."""

    id: str
    is_retry: bool


class WorkPool:
    """`worker` is the worker's name in Prefect."""

    def __init__(self, client: PrefectClient, name: str, worker: str) -> None:
        self._client = client
        self._pools = WorkPools(PrefectApi(client))
        self._name = name
        self._worker = worker

    async def announce(self) -> None:
        """Show the worker as online in Prefect; creates the pool if it doesn't exist."""
        await self._pools.ensure(self._name)
        await self._pools.send_heartbeat(self._name, self._worker)

    async def due(self, most: int) -> list[DueFlowRun]:
        """Flow runs that are due, oldest first, within the pool's limit; none if the pool doesn't
        exist yet (`announce` creates it)."""
        try:
            rows = await self._pools.due(self._name, datetime.now(UTC).isoformat(), most)
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise
            return []
        return [DueFlowRun(row["id"], row["state_name"] == RETRY_NAME) for row in rows]

    async def not_retried(self, flow_run_id: str, reason: str) -> None:
        """Restore the end state of a flow run whose Retry had no effect."""
        try:
            flow_run = await self._client.read_flow_run(UUID(flow_run_id))
        except ObjectNotFound:
            return  # deleted in Prefect
        await restore_end(self._client, flow_run, f"{NOT_RETRIED}: {reason}")
