"""The playground with chats of every kind: filled, rendered, asked and logged."""

from typing import Any

import httpx
import pytest

from harness.people import sent
from harness.platform import RunningPlatform
from harness.vendors import Answer, fake_vendor, openai

Json = dict[str, Any]
PHOTO = "https://img.example.org/{{id}}.png"
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
CHAT: list[Json] = [
    {"role": "system", "content": "You know {{shop}}."},
    {"type": "placeholder", "name": "history"},
    {
        "role": "user",
        "name": "ada",
        "content": [
            {"type": "text", "text": "What is {{this}}?"},
            {"type": "image_url", "image_url": {"url": PHOTO}},
        ],
    },
]
HISTORY: list[Json] = [
    {"role": "user", "content": "{{shop}}?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "open"},
]
VALUES: Json = {"shop": "Bo's", "this": "it", "id": 7, "history": HISTORY}


async def ask(platform: RunningPlatform, **body: Any) -> httpx.Response:
    return await platform.http.post("/api/playground/run", json=body)


async def test_a_chat_is_filled_and_rendered(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=CHAT)
    for body in ({"id": prompt["id"]}, {"messages": CHAT}):
        answer = await ask(platform, **body, variables=VALUES, model="mock-echo")
        assert answer.status_code == 200, answer.text
        body_of_answer = answer.json()
        assert body_of_answer["rendered"] == "You know Bo's.\n\n{{shop}}?\n\nopen\n\nWhat is it?"
        assert body_of_answer["messages"] == [
            {"role": "system", "content": "You know Bo's."},
            *HISTORY,
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "https://img.example.org/7.png"}},
                ],
            },
        ]
        shown = "What is it?\n\n[image_url https://img.example.org/7.png]"
        assert (body_of_answer["result"]["output"], body_of_answer["notes"]) == (shown, [])


async def test_a_vendor_gets_all_of_it(platform: RunningPlatform) -> None:
    async with fake_vendor() as vendor:
        vendor.answers(Answer.of_json(openai.chat()))
        answer = await ask(
            platform,
            messages=CHAT,
            variables=VALUES,
            provider="openai-compatible",
            model="m",
            base_url=vendor.url,
        )
        assert answer.status_code == 200, answer.text
        called = [{**CALL, "function": {"name": "f", "arguments": '{"x": 1}'}}]
        assert vendor.seen.json["messages"] == [
            {"role": "system", "content": "You know Bo's."},
            HISTORY[0],
            {"role": "assistant", "content": "", "tool_calls": called},
            {"role": "tool", "content": "open", "tool_call_id": "c"},
            answer.json()["messages"][-1],
        ]


@pytest.mark.parametrize("history", [None, []])
async def test_a_placeholder_that_nothing_fills_is_left_out(
    platform: RunningPlatform, history: Any
) -> None:
    answer = (await ask(platform, messages=CHAT, variables={"history": history})).json()
    assert [message["role"] for message in answer["messages"]] == ["system", "user"]
    note = "the placeholder 'history' was left out: no variable of that name was given"
    assert answer["notes"] == ([note] if history is None else [])
    logged = sent(await platform.http.get(f"/api/runs/{answer['run_id']}"))
    assert logged["steps"][0]["notes"] == answer["notes"]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("a", "variable 'history' can't fill its placeholder: it is 'a'; give it a list of mess"),
        ([{"role": "user", "content": "a"}, {"role": "user"}], "message 1 has no content"),
        ([{"content": "a"}], "message 0 has the role null; use one of system, developer"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "of type 'input_audio'"),
        ([{"role": "user", "content": "a"}] * 1_001, "it has 1,001 messages, at most 1,000"),
    ],
)
async def test_what_can_not_fill_a_placeholder_is_a_400(
    platform: RunningPlatform, history: Any, message: str
) -> None:
    answer = await ask(platform, messages=CHAT, variables={"history": history})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


@pytest.mark.parametrize("variables", [{}, {"history": []}])
async def test_a_chat_of_which_nothing_is_left_is_a_400(
    platform: RunningPlatform, variables: Json
) -> None:
    answer = await ask(platform, messages=CHAT[1:2], variables=variables)
    assert answer.status_code == 400
    assert "the prompt is a placeholder alone, and nothing fills it" in answer.json()["error"]


async def test_a_part_that_the_provider_can_not_take_is_named(platform: RunningPlatform) -> None:
    answer = await ask(
        platform, messages=CHAT, provider="ollama", base_url="http://127.0.0.1:9", variables=VALUES
    )
    assert (answer.status_code, answer.json()["reason"]) == (502, "unsupported_part")
    assert "a content part of type image_url can't be sent" in answer.json()["error"]
    fallback = await ask(
        platform,
        messages=CHAT,
        provider="ollama",
        base_url="http://127.0.0.1:9",
        fallbacks=[{"provider": "mock"}],
    )
    assert fallback.json()["result"]["provider"] == "mock"
