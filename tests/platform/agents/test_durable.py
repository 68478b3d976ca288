"""Agents whose runs nobody waits for, with tools and conversations, and their retries."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from harness.agent_tools import ToolPlace, streams, streams_calls, tool_place
from harness.agents import running, save_agent
from harness.detached_runs import ended
from harness.platform import RunningPlatform
from harness.vendors import Answer
from harness.vendors.openai import error

__all__ = ["running"]


@pytest_asyncio.fixture
async def place() -> AsyncIterator[ToolPlace]:
    async with tool_place() as new_place:
        yield new_place


async def submit(platform: RunningPlatform, agent: dict[str, Any], **body: Any) -> str:
    url = f"/api/agents/{agent['id']}/run"
    answer = await platform.http.post(url, json={"wait": False, **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


async def messages(platform: RunningPlatform, agent: dict[str, Any]) -> int:
    answer = await platform.http.get(f"/api/agents/{agent['id']}/conversations/c")
    return answer.json()["data"]["messages"] if answer.status_code == 200 else 0


async def test_a_conversation_goes_on(running: RunningPlatform, place: ToolPlace) -> None:
    agent = await save_agent(running, **place.agent(tools=[]))
    for number in (1, 2):
        place.model.answers(streams("Hello"))
        body = place.run(conversation_id="c", input="Hi")
        run = await ended(running, await submit(running, agent, **body))
        assert (run["state"], run["output"]) == ("completed", "Hello"), run["error"]
        assert await messages(running, agent) == 2 * number
    assert len(place.model_messages) == 4, "the model sees what was said before"


async def test_a_retry_takes_the_tools_results_and_the_conversation_along(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent())
    place.model.answers(
        streams_calls(("a", "forecast", '{"city": "Oslo"}')),
        error(400, "no", "invalid_request_error"),
    )
    place.tools.answers(Answer.of_json({"rain": True}))
    body = place.run(conversation_id="c", input="Hi", variables={"city": "Oslo"})
    failed = await ended(running, await submit(running, agent, **body))
    assert failed["state"] == "failed", failed
    assert await messages(running, agent) == 0
    asked = len(place.model.requests), len(place.tools.requests)

    place.model.answers(streams("It rains"))
    own = {name: body[name] for name in ("api_key", "base_url")}
    answer = await running.http.post(f"/api/runs/{failed['id']}/retry", json=own)
    assert answer.status_code == 202, answer.text
    run = await ended(running, answer.json()["data"]["id"])
    assert (run["state"], run["output"]) == ("completed", "It rains")
    assert (len(place.model.requests), len(place.tools.requests)) == (asked[0] + 1, asked[1])
    assert [step["reused"] for step in run["steps"]] == [True, True, True, False]
    assert await messages(running, agent) == 4


async def test_a_retry_of_a_conversation_that_went_on_is_refused(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(tools=[]))
    place.model.answers(error(400, "no", "invalid_request_error"), streams("Hello"))
    body = place.run(conversation_id="c", input="Hi")
    failed = await ended(running, await submit(running, agent, **body))
    await ended(running, await submit(running, agent, **body))
    own = {name: body[name] for name in ("api_key", "base_url")}
    answer = await running.http.post(f"/api/runs/{failed['id']}/retry", json=own)
    assert answer.status_code == 409
    assert "conversation_id" in answer.json()["error"]
