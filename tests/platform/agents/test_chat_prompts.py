"""Agents whose prompt is a chat with placeholders, parts and tool calls."""

from typing import Any

import pytest

from harness.agents import run_agent, running, save_agent
from harness.platform import RunningPlatform
from harness.vendors import Answer, fake_vendor, openai

__all__ = ["running"]

Json = dict[str, Any]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
CHAT: list[Json] = [
    {"role": "system", "content": "You know {{shop}}."},
    {"type": "placeholder", "name": "history"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is {{this}}?"},
            {"type": "image_url", "image_url": {"url": "https://img.example.org/{{id}}.png"}},
        ],
    },
]
HISTORY: list[Json] = [
    {"role": "user", "content": "{{shop}}?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "open"},
]
VALUES: Json = {"shop": "Bo's", "this": "it", "id": 7, "history": HISTORY}


async def new_agent(running: RunningPlatform, messages: list[Json], **fields: Any) -> Json:
    prompt = await running.create(env="prod", messages=messages)
    await running.publish(prompt["id"])
    return await save_agent(running, prompt_ref={"key": prompt["key"]}, **fields)


async def test_placeholders_are_filled_and_texts_and_urls_rendered(
    running: RunningPlatform,
) -> None:
    agent = await new_agent(running, CHAT, model="mock-echo")
    answer = await run_agent(running, agent, variables=VALUES)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["rendered"] == "You know Bo's.\n\n{{shop}}?\n\nopen\n\nWhat is it?"
    assert result["result"]["output"] == "What is it?\n\n[image_url https://img.example.org/7.png]"
    assert result["steps"][0]["notes"] == []


async def test_the_model_gets_all_of_it(running: RunningPlatform) -> None:
    agent = await new_agent(running, CHAT, provider="openai-compatible", model="m")
    async with fake_vendor() as vendor:
        vendor.answers(Answer.of_json(openai.chat()))
        body = {"variables": VALUES, "base_url": vendor.url, "input": "Well?"}
        answer = await run_agent(running, agent, **body)
        assert answer.status_code == 200, answer.text
        assert vendor.seen.json["messages"] == [
            {"role": "system", "content": "You know Bo's."},
            HISTORY[0],
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "open", "tool_call_id": "c"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "https://img.example.org/7.png"}},
                ],
            },
            {"role": "user", "content": "Well?"},
        ]


async def test_a_placeholder_that_nothing_fills_is_left_out_and_noted(
    running: RunningPlatform,
) -> None:
    agent = await new_agent(running, CHAT)
    result = (await run_agent(running, agent, variables={"shop": "A", "this": "it"})).json()
    assert result["rendered"] == "You know A.\n\nWhat is it?"
    note = "the placeholder 'history' was left out: no variable of that name was given"
    assert result["steps"][0]["notes"] == [note]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("a", "variable 'history' can't fill its placeholder: it is 'a'; give it a list of mess"),
        (False, "it is a boolean; give it a list of messages"),
        ([{"role": "user", "content": "a"}, {"role": "user"}], "message 1 has no content"),
    ],
)
async def test_what_can_not_fill_a_placeholder_is_a_400(
    running: RunningPlatform, history: Any, message: str
) -> None:
    agent = await new_agent(running, CHAT)
    answer = await run_agent(running, agent, variables={"history": history})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


async def test_a_prompt_that_is_a_placeholder_alone(running: RunningPlatform) -> None:
    agent = await new_agent(running, CHAT[1:2], model="mock-echo")
    for variables in ({}, {"history": []}):
        answer = await run_agent(running, agent, variables=variables)
        assert answer.status_code == 400
        assert "the placeholder 'history' alone, and nothing fills it" in answer.json()["error"]
    answer = await run_agent(running, agent, input="Hi")
    assert answer.json()["result"]["output"] == "Hi"
    filled = await run_agent(running, agent, variables={"history": HISTORY[:1]})
    assert filled.json()["result"]["output"] == "{{shop}}?"
