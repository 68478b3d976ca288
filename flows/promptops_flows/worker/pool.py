"""The work pool that a worker takes its runs from."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.client.orchestration import PrefectClient

from promptops_flows.engine.prefect_api import PrefectApi
from promptops_flows.engine.work_pools import WorkPools


class WorkPool:
    """`worker` is the name under which Prefect lists the worker."""

    def __init__(self, client: PrefectClient, name: str, worker: str) -> None:
        self._pools = WorkPools(PrefectApi(client))
        self._name = name
        self._worker = worker

    async def announce(self) -> None:
        """Be online in Prefect; creates the pool where it does not exist."""
        await self._pools.ensure(self._name)
        await self._pools.beat(self._name, self._worker)

    async def due(self, most: int) -> list[str]:
        """Ids of flow runs whose time has come, the oldest first, within the pool's limit."""
        rows = await self._pools.due(self._name, datetime.now(UTC).isoformat(), most)
        return [row["id"] for row in rows]
