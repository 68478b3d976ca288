"""A parameter that a model refuses: the run goes on without it, and everywhere it says so."""

from typing import Any

import pytest

from harness.agents import run_agent, running, save_agent
from harness.people import sent
from harness.platform import RunningPlatform
from harness.prefect_runs import task_runs
from harness.prefect_server import PrefectServer
from harness.vendors import Answer, claude, fake_vendor, openai

__all__ = ["running"]

REFUSED = openai.error(400, "Unsupported parameter: 'top_k'", "invalid_request_error")
NOTE = "the provider refused the request; it was asked again without top_k"
KNOWN = "left out temperature: claude-sonnet-5-5 does not take it"


def of_this_run(url: str) -> dict[str, Any]:
    return {"base_url": url, "api_key": "sk-of-this-run"}


async def test_an_agents_step_its_log_and_prefect_say_so(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    agent = await save_agent(
        running, prompt="Hi", provider="openai-compatible", model="m", parameters={"top_k": 5}
    )
    async with fake_vendor(REFUSED, Answer.of_json(openai.chat("Hello"))) as vendor:
        answer = await run_agent(running, agent, **of_this_run(vendor.url))
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert ["top_k" in seen.json for seen in vendor.requests] == [True, False]
    assert result["result"]["output"] == "Hello"
    assert [step["notes"] for step in result["steps"]] == [[], [NOTE]]
    logged = sent(await running.http.get(f"/api/runs/{result['run_id']}"))
    assert [step["notes"] for step in logged["steps"]] == [[], [NOTE]]

    tasks = task_runs(prefect_server, result["flow_run_id"], 2)
    messages = [task["state"]["message"] for task in tasks if task["name"] == "model"]
    assert messages == [NOTE]


async def test_a_step_that_fails_all_the_same_says_so_too(running: RunningPlatform) -> None:
    agent = await save_agent(
        running, prompt="Hi", provider="openai-compatible", model="n", parameters={"top_k": 5}
    )
    async with fake_vendor(REFUSED) as vendor:
        answer = await run_agent(running, agent, **of_this_run(vendor.url))
        body = {"content": "Hi", "provider": "openai-compatible", "parameters": {"top_k": 5}}
        tried = await running.http.post(
            "/api/playground/run", json={**body, **of_this_run(vendor.url)}
        )
    assert (answer.status_code, tried.status_code) == (502, 502)
    assert len(vendor.requests) == 4
    assert [step["notes"] for step in answer.json()["steps"]] == [[], [NOTE]]
    logged = sent(await running.http.get(f"/api/runs/{tried.json()['run_id']}"))
    assert [step["notes"] for step in logged["steps"]] == [[NOTE]]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_playground_says_so(running: RunningPlatform, stream: bool) -> None:
    good = (
        Answer.of_events(claude.STREAM, done=None) if stream else Answer.of_json(claude.message())
    )
    body = {"content": "Hi", "provider": "claude", "parameters": {"temperature": 0.5}}
    async with fake_vendor(good) as vendor:
        answer = await running.http.post(
            "/api/playground/run", json={**body, **of_this_run(vendor.url), "stream": stream}
        )
    assert answer.status_code == 200, answer.text
    assert "temperature" not in vendor.seen.json
    assert KNOWN in answer.text
    runs = sent(await running.http.get("/api/runs?source=playground&limit=1"))
    logged = sent(await running.http.get(f"/api/runs/{runs[0]['id']}"))
    assert [step["notes"] for step in logged["steps"]] == [[KNOWN]]
