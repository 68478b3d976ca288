"""Trying a tool of an agent, saved or not, without a model."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from harness.agent_tools import WEATHER
from harness.agents import save_agent
from harness.people import sent
from harness.platform import RunningPlatform
from harness.vendors import Answer, FakeVendor, fake_vendor


@pytest_asyncio.fixture
async def tools() -> AsyncIterator[FakeVendor]:
    async with fake_vendor() as vendor:
        yield vendor


def forecast(url: str, **fields: Any) -> dict[str, Any]:
    return {"name": "forecast", "parameters": WEATHER, "url": url + "/v1/{{city}}", **fields}


async def attempt(
    platform: RunningPlatform, tool: dict[str, Any], arguments: dict[str, Any]
) -> dict[str, Any]:
    agent = await save_agent(platform, prompt="Hi")
    url = f"/api/agents/{agent['id']}/tools/try"
    body = {"tool": tool, "arguments": arguments}
    result: dict[str, Any] = sent(await platform.http.post(url, json=body))
    assert result["duration_ms"] >= 0
    return result


async def test_a_tool_is_called_as_a_run_would_call_it(
    platform: RunningPlatform, tools: FakeVendor
) -> None:
    tools.answers(Answer.of_json({"rain": False}))
    tool = forecast(tools.url, headers={"x-team": "red"})
    result = await attempt(platform, tool, {"city": "Köln/Süd", "days": 2})
    assert (result["ok"], result["output"], result["error"]) == (True, '{"rain": false}', None)
    request = tools.seen
    assert (request.method, request.path) == ("GET", "/v1/K%C3%B6ln%2FS%C3%BCd?days=2")
    assert request.headers["x-team"] == "red"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"city": "Oslo", "days": 9}, "the arguments don't match the tool's schema"),
        ({}, "the arguments don't match the tool's schema"),
    ],
)
async def test_wrong_arguments_are_a_result_and_nothing_is_sent(
    platform: RunningPlatform, tools: FakeVendor, arguments: dict[str, Any], sentence: str
) -> None:
    result = await attempt(platform, forecast(tools.url), arguments)
    assert (result["ok"], result["output"]) == (False, None)
    assert sentence in result["error"]
    assert tools.requests == []


async def test_an_error_of_the_tool_is_what_the_model_would_be_told(
    platform: RunningPlatform, tools: FakeVendor
) -> None:
    tools.answers(Answer.of_json({"why": "no such city"}, status=404))
    result = await attempt(platform, forecast(tools.url), {"city": "Atlantis"})
    assert result["error"] == 'the tool answered HTTP 404: {"why": "no such city"}'


@pytest.mark.parametrize("host", ["http://169.254.169.254", "https://intranet.example.org"])
async def test_an_address_that_is_not_allowed_is_not_called(
    platform: RunningPlatform, host: str
) -> None:
    result = await attempt(platform, forecast(host), {"city": "Oslo"})
    assert result["ok"] is False
    assert "PROMPTOPS_TOOL_HOSTS" in result["error"] or "never" in result["error"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"parameters": {**WEATHER, "patternProperties": {}}}, "patternProperties"),
        ({"parameters": {"type": "string"}}, "must describe an object"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"headers": {"authorization": "Bearer x"}}, "looks like the header of a secret"),
    ],
)
async def test_a_tool_that_could_not_be_saved_is_not_tried(
    platform: RunningPlatform, tools: FakeVendor, fields: dict[str, Any], sentence: str
) -> None:
    agent = await save_agent(platform, prompt="Hi")
    body = {"tool": {**forecast(tools.url), **fields}}
    answer = await platform.http.post(f"/api/agents/{agent['id']}/tools/try", json=body)
    assert answer.status_code == 400, answer.text
    assert sentence in answer.json()["error"]


async def test_a_try_is_audited_without_its_arguments(
    platform: RunningPlatform, tools: FakeVendor
) -> None:
    tools.answers(Answer.of_json({}))
    agent = await save_agent(platform, prompt="Hi")
    body = {"tool": forecast(tools.url), "arguments": {"city": "Secretville"}}
    sent(await platform.http.post(f"/api/agents/{agent['id']}/tools/try", json=body))
    entries = (await platform.http.get("/api/audit", params={"limit": 5})).json()["data"]
    entry = next(one for one in entries if one["resource_id"] == agent["id"])
    assert (entry["action"], entry["resource"], entry["key"]) == ("test", "agent", agent["key"])
    assert entry["summary"] == f"tried tool forecast of agent {agent['key']}: it succeeded"
    assert "Secretville" not in str(entries)
