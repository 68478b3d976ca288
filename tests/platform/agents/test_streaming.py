"""An agent's answer as it comes, over a real socket from a real engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest_asyncio

from harness.agent_tools import ToolPlace, says, tool_place
from harness.agents import run_agent, running, save_agent
from harness.platform import RunningPlatform
from harness.processes import WAIT_SECONDS
from harness.vendors import Answer
from harness.vendors.openai import CHAT_STREAM, CHAT_TOOL_STREAM

__all__ = ["running"]

Events = AsyncIterator[tuple[str, Any]]


@pytest_asyncio.fixture
async def place() -> AsyncIterator[ToolPlace]:
    async with tool_place() as new_place:
        yield new_place


@asynccontextmanager
async def streamed(
    platform: RunningPlatform, agent: dict[str, Any], **body: Any
) -> AsyncIterator[httpx.Response]:
    url, accept = f"/api/agents/{agent['id']}/run", {"accept": "text/event-stream"}
    async with platform.http.stream("POST", url, json=body, headers=accept) as answer:
        yield answer


async def events(answer: httpx.Response) -> Events:
    """Name and data of each."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def test_a_piece_is_passed_on_before_the_next_one_is_there(
    running: RunningPlatform, place: ToolPlace
) -> None:
    held, hold = Answer.of_events(CHAT_STREAM).held_after(2)
    place.model.answers(held)
    agent = await save_agent(running, **place.agent(tools=[]))
    async with streamed(running, agent, **place.run()) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        coming = events(answer)
        name, names = await anext(coming)
        assert (name, set(names)) == ("start", {"run_id", "flow_run_id", "flow_run_url"})
        assert await anext(coming) == ("delta", {"step": 2, "text": "Grüße, "})
        hold.release()
        rest = [event async for event in coming]
    assert [name for name, _ in rest] == ["delta", "usage", "result"]
    result = rest[-1][1]
    assert result["result"]["output"] == "Grüße, 世界!"
    assert result["run_id"] == names["run_id"]
    assert rest[1][1] == result["usage"]
    place.model.answers(says("Grüße, 世界!"))
    plain = (await run_agent(running, agent, stream=False, **place.run())).json()
    assert list(plain) == list(result)


async def test_the_text_of_a_run_that_nobody_waits_for_is_followed(
    running: RunningPlatform, place: ToolPlace
) -> None:
    held, hold = Answer.of_events(CHAT_STREAM).held_after(2)
    place.model.answers(held)
    agent = await save_agent(running, **place.agent(tools=[]))
    body = {**place.run(), "wait": False}
    started = await running.http.post(f"/api/agents/{agent['id']}/run", json=body)
    assert started.status_code == 202, started.text
    url = f"/api/runs/{started.json()['run_id']}/events"
    async with running.http.stream("GET", url) as answer:
        coming = events(answer)
        while (event := await anext(coming))[0] != "delta":
            pass
        assert event[1] == {"step": 2, "text": "Grüße, "}
        # Who comes later sees the text so far.
        async with running.http.stream("GET", url) as late:
            async for event in events(late):
                if event[0] == "delta":
                    break
            assert event[1] == {"step": 2, "text": "Grüße, "}
        hold.release()
        rest = [event async for event in coming]
    assert rest[0] == ("delta", {"step": 2, "text": "世界!"})
    assert rest[-1][0] == "end"
    assert rest[-1][1]["output"] == "Grüße, 世界!"


async def test_tools_are_told_of(running: RunningPlatform, place: ToolPlace) -> None:
    place.model.answers(Answer.of_events(CHAT_TOOL_STREAM), Answer.of_events(CHAT_STREAM))
    place.tools.answers(Answer.of_json({"rain": True}))
    fields = place.agent()
    fields["tools"][0]["name"] = "weather"
    agent = await save_agent(running, **fields)
    async with streamed(running, agent, **place.run()) as answer:
        sent_events = [event async for event in events(answer)]
    assert [data for name, data in sent_events if name == "tool_call"] == [
        {"step": 3, "name": "tool: weather", "arguments": {"city": "Köln"}},
        {"step": 4, "name": "tool: clock", "arguments": {}},
    ]
    results = {data["name"]: data for name, data in sent_events if name == "tool_result"}
    assert results["tool: weather"] == {
        "step": 3,
        "name": "tool: weather",
        "output": '{"rain": true}',
        "error": None,
    }
    assert "no such tool" in results["tool: clock"]["error"]
    assert sent_events[-1][0] == "result"


async def test_an_error_is_an_event_with_the_body_of_the_502(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt="Hello there", model="mock-fail-stream-cut-off")
    async with streamed(running, agent) as answer:
        assert answer.status_code == 200
        sent_events = [event async for event in events(answer)]
    assert sent_events[0][0] == "start"
    name, failed = sent_events[-1]
    assert (name, failed["code"], failed["rendered"]) == ("error", "step_failed", "Hello there")
    assert [step["state"] for step in failed["steps"]] == ["Completed", "Failed"]


async def test_what_keeps_a_run_from_starting_is_a_status_as_ever(
    running: RunningPlatform, platform: RunningPlatform
) -> None:
    agent = await save_agent(running, prompt_ref={"key": "missing-prompt"})
    assert (await run_agent(running, agent, stream=True)).status_code == 404
    agent = await save_agent(platform, prompt="no engine here")
    assert (await run_agent(platform, agent, stream=True)).status_code == 503


async def test_a_run_goes_on_when_its_listener_hangs_up(
    running: RunningPlatform, place: ToolPlace
) -> None:
    held, hold = Answer.of_events(CHAT_STREAM).held_after(2)
    place.model.answers(held)
    agent = await save_agent(running, **place.agent(prompt="", tools=[]))
    body = place.run(input="Hi", conversation_id="c")
    async with streamed(running, agent, **body) as answer:
        coming = events(answer)
        _, names = await anext(coming)
        await anext(coming)
    hold.release()
    async with asyncio.timeout(WAIT_SECONDS):
        while (await logged(running, names["run_id"]))["status"] == "running":
            await asyncio.sleep(0.02)
    assert (await logged(running, names["run_id"]))["output"] == "Grüße, 世界!"
    url = f"/api/agents/{agent['id']}/conversations/c"
    assert (await running.http.get(url)).json()["data"]["messages"] == 2


async def test_nobody_who_does_not_read_holds_up_a_run(
    running: RunningPlatform, place: ToolPlace
) -> None:
    piece = {**CHAT_STREAM[1], "choices": [{**CHAT_STREAM[1]["choices"][0]}]}
    piece["choices"][0]["delta"] = {"content": "x" * 10_000}
    place.model.answers(Answer.of_events([CHAT_STREAM[0], *[piece] * 100, *CHAT_STREAM[3:]]))
    agent = await save_agent(running, **place.agent(tools=[]))
    async with streamed(running, agent, **place.run()) as answer:
        # The sockets' buffers hold less than the answer; nothing is read until the run has ended.
        async with asyncio.timeout(WAIT_SECONDS):
            while not (ended := await ended_runs(running, agent["key"])):
                await asyncio.sleep(0.02)
        sent_events = [event async for event in events(answer)]
    assert ended[0]["status"] == "ok"
    assert sent_events[-1][1]["result"]["output"] == "x" * 1_000_000
    assert "".join(data["text"] for name, data in sent_events if name == "delta") == "x" * 1_000_000


async def logged(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = (await platform.http.get(f"/api/runs/{run_id}")).json()["data"]
    return run


async def ended_runs(platform: RunningPlatform, key: str) -> list[dict[str, Any]]:
    listed = (await platform.http.get("/api/runs?limit=20")).json()["data"]
    return [run for run in listed if run["ref_key"] == key]
