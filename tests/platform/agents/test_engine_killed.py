"""An engine that is killed in the middle of an agent's run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.agent_tools import ToolPlace, calls, says, tool_place
from harness.agents import run_agent, save_agent, use_engine
from harness.engine import running_engine
from harness.platform import DatabaseKind, new_settings, running_platform
from harness.postgres import Postgres
from harness.prefect_runs import until_state
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS
from harness.vendors import Answer

pytestmark = pytest.mark.trial


@pytest_asyncio.fixture
async def place() -> AsyncIterator[ToolPlace]:
    async with tool_place() as new_place:
        yield new_place


async def test_a_killed_engine_leaves_nothing_half_done(
    database_kind: DatabaseKind,
    postgres: Postgres,
    prefect_server: PrefectServer,
    data_folder: Path,
    place: ToolPlace,
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, engine_wait_seconds=30)
    address, auth = prefect_server.api_url, prefect_server.auth
    development = {"PROMPTOPS_ENV": "development"}
    with running_engine(address, auth, environment=development) as first:
        async with running_platform(settings) as platform:
            use_engine(platform, first)
            agent = await save_agent(platform, **place.agent())
            body = place.run(conversation_id="c", input="Hi")
            place.model.answers(says("Hello"))
            assert (await run_agent(platform, agent, **body)).status_code == 200

            slow, hold = Answer.of_json({"rain": True}).held_after(0)
            place.tools.answers(slow)
            place.model.answers(calls(("a", "forecast", '{"city": "x"}')), says("never"))
            running = asyncio.create_task(run_agent(platform, agent, **body))
            await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
            first.process.kill()
            answer = await running
            assert answer.status_code == 502
            failed = answer.json()
            assert failed["error"] == "the run engine ended before the run did"
            assert [step["name"] for step in failed["steps"]] == ["render", "model"]
            url = f"/api/agents/{agent['id']}/conversations/c"
            assert (await platform.http.get(url)).json()["data"]["messages"] == 2

            place.tools.answers(Answer.of_json({"rain": True}))
            place.model.answers(says("Hello again"))
            with running_engine(address, auth, predecessor=first, environment=development) as next_:
                use_engine(platform, next_)
                assert (await run_agent(platform, agent, **body)).status_code == 200
                await until_state(prefect_server, "Crashed", failed["flow_run_id"])
            assert (await platform.http.get(url)).json()["data"]["messages"] == 4
