"""Chat prompts with tool calls, content parts, names and placeholders, over the wire."""

from typing import Any

import pytest

from harness.people import sent
from harness.platform import RunningPlatform, new_key

Json = dict[str, Any]
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "{{city}}"}'},
}
TEXT = {"type": "text", "text": "Compare {{this}}"}
IMAGE = {"type": "image_url", "image_url": {"url": "{{photo}}", "detail": "low"}}
FILES = [
    {"type": "file", "file": {"url": "https://docs.example.org/{{id}}.pdf"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,{{pdf}}", "filename": "r"}},
]
CHAT: list[Json] = [
    {"role": "system", "content": [{"type": "text", "text": "You know {{shop}}."}]},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "name": "ada", "content": [TEXT, IMAGE, *FILES]},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Rain in {{city}}"},
    {"role": "assistant", "content": "It rains", "tool_calls": [CALL]},
]
JOINED = "You know {{shop}}.\n\nCompare {{this}}\n\nRain in {{city}}\n\nIt rains"
NAMES = ["shop", "history", "this", "photo", "id", "pdf", "city"]


def message(content: Any, role: str = "user", **fields: Any) -> list[Json]:
    return [{"role": role, "content": content, **fields}]


async def test_what_is_saved_is_read_published_served_and_found(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", messages=CHAT)
    assert (prompt["kind"], prompt["messages"]) == ("chat", CHAT)
    assert (prompt["content"], prompt["variables"]) == (JOINED, NAMES)
    version = await platform.publish(prompt["id"])
    assert (version["messages"], version["variables"]) == (CHAT, NAMES)
    served = (await platform.fetch(prompt["key"])).json()
    assert (served["content"], served["messages"]) == (JOINED, CHAT)
    marked = await platform.create(
        messages=message([{"type": "text", "text": f"needle {new_key()}"}])
    )
    term = marked["content"].upper()
    page = (await platform.http.get("/api/prompts", params={"q": term})).json()
    assert [prompt["id"] for prompt in page["data"]] == [marked["id"]]


async def test_what_was_read_can_be_sent_back(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=CHAT)
    url = f"/api/prompts/{prompt['id']}"
    for _ in range(2):
        saved = sent(await platform.http.put(url, json=prompt))
        assert (saved["messages"], saved["content"]) == (CHAT, JOINED)


async def test_a_promotion_and_a_rollback_keep_them(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="dev", messages=CHAT)
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}"
    promoted = await platform.http.post(f"{url}/promote", json={"env": "prod", "publish": True})
    assert promoted.status_code == 200, promoted.text
    assert (await platform.fetch(prompt["key"])).json()["messages"] == CHAT
    await platform.http.put(url, json={"messages": message("short")})
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v1"}
    rolled = sent(await platform.http.post("/api/prompts/rollback", json=back))
    assert rolled["messages"] == CHAT


async def test_a_diff_shows_what_differs_beyond_the_texts(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=CHAT)
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}"
    other = {"role": "user", "name": "bob", "content": [TEXT, IMAGE]}
    await platform.http.put(url, json={"messages": [*CHAT[:2], other, *CHAT[3:]]})
    diff = sent(await platform.http.get(f"{url}/diff"))
    assert (diff["content"], diff["same"]) == ("", False)
    assert diff["messages"] == [
        {"before_index": 2, "after_index": 2, "before": CHAT[2], "after": other}
    ]
    assert (await platform.publish(prompt["id"]))["version"] == "v2"


async def test_fields_of_no_value_are_not_stored(platform: RunningPlatform) -> None:
    empty = [
        {"role": "assistant", "content": None, "tool_calls": [CALL], "name": None},
        {"role": "assistant", "content": "x", "tool_calls": []},
    ]
    prompt = await platform.create(messages=empty)
    assert prompt["messages"] == [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": "x"},
    ]


async def test_a_prompt_may_be_placeholders_alone(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=[CHAT[1]])
    assert (prompt["content"], prompt["variables"]) == ("", ["history"])


def called(**function: Any) -> list[Json]:
    return [{"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}]


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        ([{"role": "tool", "content": "x"}], "messages.0.tool_call_id: is required"),
        (message("x", tool_call_id="c"), "messages.0.tool_call_id: is not a known field"),
        (message("x", tool_calls=[CALL]), "messages.0.tool_calls: is not a known field"),
        ([{"role": "assistant"}], "messages.0: an assistant's message needs content or tool_calls"),
        (called(name="f"), "messages.0.tool_calls.0.function.arguments: is required"),
        (called(name="f", arguments="[1]"), "function.arguments: is not a JSON object"),
        (called(name="f", arguments="{"), "function.arguments: is not JSON"),
        (called(name="no blanks", arguments="{}"), "messages.0.tool_calls.0.function.name"),
        (message("x", name="Ada L."), "messages.0.name: can't contain spaces"),
        (message("x", name=""), "messages.0.name"),
        (message(None), "messages.0.content: must be a text, or a list of parts (got None)"),
        (message(7), "messages.0.content: must be a text, or a list of parts (got 7)"),
        (message([]), "messages.0.content: list should have at least 1 item"),
        (message([TEXT] * 51), "messages.0.content: list should have at most 50 items"),
        (message([7]), "messages.0.content.0: must be an object whose type is text, image_url or"),
        (message([TEXT, {"type": "audio"}]), "messages.0.content.1: must be an object whose type"),
        (message([{"type": "text"}]), "messages.0.content.0.text: is required"),
        (message([{"type": "image_url"}]), "messages.0.content.0.image_url: is required"),
        (
            message([{"type": "image_url", "image_url": {"url": ""}}]),
            "messages.0.content.0.image_url.url",
        ),
        (
            message([{"type": "image_url", "image_url": {"url": "x", "detail": "most"}}]),
            "messages.0.content.0.image_url.detail: input should be 'auto', 'low' or 'high'",
        ),
        (message([{"type": "file", "file": {}}]), "messages.0.content.0.file.url: is required"),
        (
            message([{"type": "file", "file": {"url": "a", "file_data": "b"}}]),
            "messages.0.content.0.file.url: is not a known field",
        ),
        (message([IMAGE], "system"), "messages.0.content.0.type: input should be 'text'"),
        (message([FILES[0]], "assistant"), "messages.0.content.0.type: input should be 'text'"),
        ([{"type": "placeholder"}], "messages.0.name: is required"),
        ([{"type": "placeholder", "name": "a b"}], "messages.0.name: must be a variable's name"),
        ([{"type": "placeholder", "name": ""}], "messages.0.name"),
        ([CHAT[1] | {"role": "user"}], "messages.0.role: is not a known field"),
        ([{"type": "placeholders", "name": "a"}], "messages.0.role: is required"),
        (message([{"type": "text", "text": "x" * 600_000}] * 2), "1200002 characters"),
        (message([{"type": "file", "file": {"url": "x" * 600_000}}] * 2), "1200000 characters"),
        (called(name="f", arguments='{"a": "' + "x" * 600_000 + '"}') * 2, "1200018 characters"),
    ],
)
async def test_what_cannot_be_a_message_is_refused(
    platform: RunningPlatform, messages: list[Json], sentence: str
) -> None:
    answer = await platform.http.post("/api/prompts", json={"key": new_key(), "messages": messages})
    assert answer.status_code == 400, answer.text
    assert sentence in answer.json()["error"]
    assert "\u0000" not in answer.json()["error"]
    assert len(answer.json()["error"]) < 600
