"""Creates each flow run in Prefect with one request, by caching the ids of flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import FlowRunCreate
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy
from prefect.flows import Flow
from prefect.states import Pending, Scheduled, to_state_create

# One entry for each definition that was run since the start.
_MOST_FLOWS = 10_000


@dataclass(frozen=True, slots=True)
class Queued:
    """A place in a work pool. For all requests with the same key Prefect creates one flow run."""

    pool: str
    idempotency_key: str


class FlowRunCreator:
    """Prefect's own client requests the flow's id before each run."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._flow_ids: dict[str, UUID] = {}

    async def create(
        self,
        flow: Flow[Any, Any],
        *,
        name: str,
        parameters: dict[str, Any],
        context: dict[str, Any],
        tags: list[str],
        parent_task_run_id: UUID | None = None,
        queued: Queued | None = None,
    ) -> FlowRun:
        """Create a pending flow run, or a scheduled one if `queued`; a missing flow is created,
        too. Raises the errors of Prefect's client."""
        run: dict[str, Any] = {
            "flow_version": flow.version,
            "name": name,
            "parameters": parameters,
            "context": context,
            "tags": tags,
            "state": to_state_create(Pending()),
            "empirical_policy": FlowRunPolicy(retries=0, retry_delay=0),
            # Prefect's client repeats a request that times out; without an idempotency key each
            # repeat leaves a flow run that stays pending.
            "idempotency_key": str(uuid4()),
        }
        if parent_task_run_id is not None:
            run["parent_task_run_id"] = parent_task_run_id
        if queued is not None:
            run["state"] = to_state_create(Scheduled())
            run["work_pool_name"], run["idempotency_key"] = queued.pool, queued.idempotency_key
        flow_id = self._flow_ids.get(flow.name)
        if flow_id is not None:
            try:
                return await self._post(FlowRunCreate(flow_id=flow_id, **run))
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.CONFLICT:
                    raise
                # The flow was deleted in Prefect.
        return await self._post(FlowRunCreate(flow_id=await self._flow_id(flow.name), **run))

    async def _flow_id(self, name: str) -> UUID:
        if len(self._flow_ids) >= _MOST_FLOWS:
            self._flow_ids.clear()
        self._flow_ids[name] = await self._client.create_flow_from_name(name)
        return self._flow_ids[name]

    async def _post(self, run: FlowRunCreate) -> FlowRun:
        fields = run.model_dump(mode="json", exclude_unset=True)
        answer = await self._client.request("POST", "/flow_runs/", json=fields)
        return FlowRun.model_validate(answer.json())
