"""The requests to Prefect that create a flow run."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx

from promptops_flows.engine.flow_run_creation import FlowRunCreator, Queued

FLOW: Any = SimpleNamespace(name="greeting", version="1")


class RecordingClient:
    def __init__(self) -> None:
        self.keys: list[str] = []
        self._flow_id = uuid4()

    async def create_flow_from_name(self, _name: str) -> Any:
        return self._flow_id

    async def request(self, _method: str, _path: str, *, json: dict[str, Any]) -> httpx.Response:
        self.keys.append(json.get("idempotency_key", ""))
        return httpx.Response(201, json={**json, "id": str(uuid4())})


async def test_a_repeated_request_creates_one_flow_run() -> None:
    """Prefect's client repeats a request that times out."""
    client: Any = RecordingClient()
    creator = FlowRunCreator(client)
    run: dict[str, Any] = {"name": "a", "parameters": {}, "context": {}, "tags": []}
    await creator.create(FLOW, **run)
    await creator.create(FLOW, **run)
    await creator.create(FLOW, **run, queued=Queued("pool", "own key"))
    first, second, queued = client.keys
    assert first
    assert second not in ("", first)
    assert queued == "own key"
