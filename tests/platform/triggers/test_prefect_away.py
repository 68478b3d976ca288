"""Events that happen while Prefect is away are sent when it is back, once."""

from pathlib import Path

import pytest

from harness.detached_runs import ended
from harness.engine import running_engine, use_engine
from harness.people import sent
from harness.platform import RunningPlatform, new_settings, running_platform, until_found
from harness.ports import free_port
from harness.prefect_server import end, spawn, wait_until_healthy
from harness.triggers import LONG_SECONDS, deliveries, new_trigger, settled
from promptops_flows.processes.children import prefect_server_spec
from promptops_platform.triggers.tables import TriggerRow

pytestmark = pytest.mark.trial

AUTH = "admin:test-password"


async def test_a_publish_while_prefect_is_away_runs_once_when_it_is_back(
    tmp_path: Path, data_folder: Path
) -> None:
    port, log = free_port(), tmp_path / "prefect.log"
    spec = prefect_server_spec(data=tmp_path, host="127.0.0.1", port=port, auth=AUTH)
    url = f"http://127.0.0.1:{port}/api"
    prefect = spawn(spec, log)
    settings = await new_settings("sqlite", None, data_folder)
    try:
        wait_until_healthy(url, prefect, log)
        with running_engine(url, AUTH) as engine:
            async with running_platform(settings) as platform:
                use_engine(platform, engine)
                trigger = await new_trigger(platform, {"event": "prompt.published"})
                await in_prefect(platform, trigger["id"])
                end(prefect)
                prompts = [await platform.create(env="prod") for _ in range(3)]
                for prompt in prompts:
                    await platform.publish(prompt["id"])
                rows = await deliveries(platform, trigger)
                assert [row["state"] for row in rows] == ["waiting"] * 3
                prefect = spawn(spec, log)
                wait_until_healthy(url, prefect, log)
                rows = await settled(platform, trigger, number=3)
                for row, prompt in zip(rows, prompts, strict=True):
                    run = await ended(platform, row["run_id"])
                    assert run["output"] == f"Hello {prompt['key']}"
                listed = (await platform.http.get("/api/runs?source=workflow")).json()
                assert listed["total"] == 3
    finally:
        end(prefect)


async def in_prefect(platform: RunningPlatform, trigger_id: str) -> None:
    """Wait until Prefect has the deployment of the trigger."""

    async def look() -> list[TriggerRow]:
        row = sent(await platform.http.get(f"/api/triggers/{trigger_id}"))
        return [row] if row["deployment_url"] else []

    await until_found(look, LONG_SECONDS)
