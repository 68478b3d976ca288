"""What agents remember of conversations."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.agent_tools import ToolPlace, calls, says, tool_place
from harness.agents import run_agent, running, save_agent
from harness.platform import RunningPlatform
from harness.processes import WAIT_SECONDS
from harness.vendors import Answer

__all__ = ["running"]


@pytest_asyncio.fixture
async def place() -> AsyncIterator[ToolPlace]:
    async with tool_place() as new_place:
        yield new_place


def turns(place: ToolPlace) -> list[tuple[str, str]]:
    return [(message["role"], message.get("content") or "") for message in place.model_messages]


async def test_the_model_is_told_what_was_said_before(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(prompt="You are kind.", tools=[]))
    place.model.answers(says("Hello Ada"), says("You are Ada"), says("No idea"))
    for text in ("I am Ada", "Who am I?"):
        body = place.run(input=text, conversation_id="chat-1")
        assert (await run_agent(running, agent, **body)).json()["conversation_id"] == "chat-1"
    assert turns(place) == [
        ("system", "You are kind."),
        ("user", "I am Ada"),
        ("assistant", "Hello Ada"),
        ("user", "Who am I?"),
    ]
    await run_agent(running, agent, **place.run(input="Who am I?", conversation_id="chat-2"))
    assert len(place.model_messages) == 2

    url = f"/api/agents/{agent['id']}/conversations"
    listed = (await running.http.get(url)).json()
    assert [(conversation["id"], conversation["messages"]) for conversation in listed["data"]] == [
        ("chat-2", 2),
        ("chat-1", 4),
    ]
    assert listed["total"] == 2
    read = (await running.http.get(f"{url}/chat-1?limit=3")).json()["data"]
    assert [(message["role"], message["content"]) for message in read["newest"]] == [
        ("assistant", "Hello Ada"),
        ("user", "Who am I?"),
        ("assistant", "You are Ada"),
    ]
    assert (await running.http.delete(f"{url}/chat-1")).json() == {"ok": True}
    assert (await running.http.get(f"{url}/chat-1")).status_code == 404
    assert (await running.http.delete(f"{url}/chat-1")).status_code == 404


async def test_a_text_prompt_without_input_is_the_users_turn(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(prompt="{{q}}", tools=[]))
    place.model.answers(says("1"), says("2"))
    for question in ("one?", "two?"):
        body = place.run(variables={"q": question}, conversation_id="c")
        await run_agent(running, agent, **body)
    assert turns(place) == [("user", "one?"), ("assistant", "1"), ("user", "two?")]


async def test_calls_of_tools_are_remembered_with_their_results_or_not_at_all(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(prompt="{{q}}", window_messages=4))
    place.tools.answers(Answer.of_json({"rain": True}))
    place.model.answers(calls(("a", "forecast", '{"city": "x"}')), says("yes"), says("2"))
    body = place.run(conversation_id="c")
    await run_agent(running, agent, **body, variables={"q": "one?"})
    await run_agent(running, agent, **body, variables={"q": "two?"})
    assert [role for role, _ in turns(place)] == ["user", "assistant", "tool", "assistant", "user"]
    assert place.model_messages[1]["tool_calls"][0]["id"] == place.model_messages[2]["tool_call_id"]
    # Six messages now; the newest four would begin with the tool's result.
    place.model.answers(says("3"))
    await run_agent(running, agent, **body, variables={"q": "three?"})
    assert turns(place) == [("user", "two?"), ("assistant", "2"), ("user", "three?")]


async def test_a_run_that_fails_adds_nothing(running: RunningPlatform, place: ToolPlace) -> None:
    agent = await save_agent(running, **place.agent(prompt="", tools=[]))
    url = f"/api/agents/{agent['id']}/conversations"
    place.model.answers(Answer.of_json({}, 500))
    body = place.run(conversation_id="c")
    assert (await run_agent(running, agent, **body, input="a")).status_code == 502
    assert (await running.http.get(url)).json() == {"data": [], "total": 0}
    place.model.answers(says("b"), Answer.of_json({}, 500))
    assert (await run_agent(running, agent, **body, input="a")).status_code == 200
    assert (await run_agent(running, agent, **body, input="c")).status_code == 502
    read = (await running.http.get(f"{url}/c")).json()["data"]
    assert [message["content"] for message in read["newest"]] == ["a", "b"]


async def test_of_two_runs_at_once_one_is_refused_and_can_be_sent_again(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(prompt="", tools=[]))
    body = place.run(conversation_id="c")
    for first in ("a", "b"):
        slow, hold = says("answer").held_after(0)
        place.model.answers(slow)
        running_one = asyncio.create_task(run_agent(running, agent, **body, input=first))
        await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
        refused = await run_agent(running, agent, **body, input="too early")
        assert refused.status_code == 409
        assert refused.json()["error"].startswith("conversation_id: another run of conversation")
        other = {**body, "conversation_id": f"other-{first}"}
        place.model.answers(says("elsewhere"))
        assert (await run_agent(running, agent, **other, input="x")).status_code == 200
        hold.release()
        assert (await running_one).status_code == 200
    read = await running.http.get(f"/api/agents/{agent['id']}/conversations/c")
    texts = [message["content"] for message in read.json()["data"]["newest"]]
    assert texts == ["a", "answer", "b", "answer"]


@pytest.mark.trial
async def test_many_runs_at_once_lose_no_turn(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt="", model="mock-echo")

    async def say(text: str) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            body = {"input": text, "conversation_id": "c"}
            while (answer := await run_agent(running, agent, **body)).status_code == 409:
                await asyncio.sleep(0.05)
        assert answer.status_code == 200, answer.text

    await asyncio.gather(*(say(str(number)) for number in range(6)))
    read = await running.http.get(f"/api/agents/{agent['id']}/conversations/c")
    texts = [message["content"] for message in read.json()["data"]["newest"]]
    assert sorted(texts[::2]) == [str(number) for number in range(6)]
    assert texts[::2] == texts[1::2]


async def test_a_deleted_conversation_is_not_brought_back_by_a_run_under_way(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(prompt="", tools=[]))
    url = f"/api/agents/{agent['id']}/conversations"
    body = place.run(conversation_id="c")
    place.model.answers(says("b"))
    await run_agent(running, agent, **body, input="a")
    slow, hold = says("answer").held_after(0)
    place.model.answers(slow)
    under_way = asyncio.create_task(run_agent(running, agent, **body, input="c"))
    await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
    assert (await running.http.delete(f"{url}/c")).status_code == 200
    hold.release()
    assert (await under_way).status_code == 200
    assert (await running.http.get(url)).json()["total"] == 0


async def test_odd_texts_are_remembered(running: RunningPlatform, place: ToolPlace) -> None:
    agent = await save_agent(running, **place.agent(prompt="", tools=[]))
    place.model.answers(says("half \ud800 and \0"), says("ok"))
    for text in ("a", "b"):
        body = place.run(input=text, conversation_id="c")
        answer = await run_agent(running, agent, **body)
        assert answer.status_code == 200, answer.text
    assert turns(place)[1] == ("assistant", "half \ufffd and \ufffd")
