"""Messages of chat prompts: filled and rendered like in every SDK, and converted for the
gateway."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.templates.bounded import TextTooLongError
from promptops_flows.templates.chat_messages import (
    MAX_FILLED_MESSAGES,
    PlaceholderError,
    as_message,
    check_placeholders,
    joined_texts,
    left_out,
    names_in,
    render_chat,
)
from promptops_flows.templates.language import render_template, variables_in
from promptops_providers.protocol import FilePart, ImagePart, Message, TextPart, ToolCall

Json = dict[str, Any]
FILE = Path(__file__).parents[3] / "sdk" / "conformance" / "messages.json"
CASES: list[Json] = json.loads(FILE.read_text())["cases"]
HISTORY = [{"type": "placeholder", "name": "history"}]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_cases_of_every_sdk(case: Json) -> None:
    messages, variables = case["messages"], case["variables"]
    if refused := case.get("refused"):
        with pytest.raises(PlaceholderError) as caught:
            render_chat(messages, variables)
        with pytest.raises(PlaceholderError):
            check_placeholders(messages, variables)
        assert caught.value.name == refused["variable"]
        where = "" if refused["index"] is None else f"message {refused['index']} "
        assert f"variable '{refused['variable']}' can't fill its placeholder: {where}" in str(
            caught.value
        )
    else:
        chat = render_chat(messages, variables)
        assert chat.raw == case["expected"]
        assert len(chat.messages) == len(chat.raw)
        assert joined_texts(messages) == case["content"]
        assert names_in(messages) == case["names"]
        assert set(left_out(messages, variables)) <= set(case["missing"])
        check_placeholders(messages, variables)


def test_a_message_in_the_gateways_form() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    raw: list[Json] = [
        {
            "role": "system",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "7"},
        {
            "role": "user",
            "name": "ada",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "https://i", "detail": "low"}},
                {"type": "file", "file": {"file_data": "data:,", "filename": "f.pdf"}},
            ],
        },
    ]
    parts = (TextPart("a"), ImagePart("https://i", "low"), FilePart("data:,", "f.pdf"))
    assert list(map(as_message, raw)) == [
        Message("system", "a\n\nb"),
        Message("assistant", "", (ToolCall("c", "f", {"x": 1}),)),
        Message("tool", "7", tool_call_id="c"),
        Message("user", "a", name="ada", parts=parts),
    ]


def user(*parts: Any) -> Json:
    return {"role": "user", "content": list(parts)}


def calling(call: Any) -> Json:
    return {"role": "assistant", "content": "", "tool_calls": [call]}


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"role": "robot", "content": "x"}, "message 1 has the role 'robot'; use one of system,"),
        ({"role": "r" * 99, "content": "x"}, f"the role '{'r' * 40}…'"),
        ({"role": "tool", "content": "x"}, "message 1 has the role tool and no tool_call_id"),
        (user({"type": "input_audio"}), "has a part 0 of its content that can't be used, of type"),
        (user({"type": "text", "text": 7}), "can't be used, of type 'text'"),
        (user({"type": "image_url", "image_url": "https://i"}), "can't be used, of type 'image"),
        (user({"type": "file", "file": {"file_id": "f"}}), "can't be used, of type 'file'"),
        (
            user({"type": "image_url", "image_url": {"url": "u"}}) | {"role": "system"},
            "is of type image_url, which only the role user may send",
        ),
        (calling(7), "message 1 has a tool call without id and function"),
        (calling({"id": "c"}), "message 1 has a tool call without id and function"),
        (calling({"id": "c", "function": {"name": "f"}}), "has a tool call 'c' whose function"),
        (calling({"id": "c", "function": {"name": "f", "arguments": "[]"}}), "a JSON object"),
        (calling({"id": "c", "function": {"name": "f", "arguments": "{" * 9}}), "a JSON object"),
    ],
)
def test_messages_that_no_provider_accepts_are_reported(message: Json, sentence: str) -> None:
    filling = [{"role": "user", "content": "a"}, message]
    with pytest.raises(PlaceholderError) as caught:
        render_chat(HISTORY, {"history": filling})
    assert sentence in str(caught.value)


def test_limits() -> None:
    message = {"role": "user", "content": "x"}
    most = {"history": [message] * MAX_FILLED_MESSAGES}
    assert len(render_chat(HISTORY, most).raw) == MAX_FILLED_MESSAGES
    with pytest.raises(PlaceholderError, match=r"it has 1,001 messages, at most 1,000 are allowed"):
        render_chat(HISTORY, {"history": [message] * (MAX_FILLED_MESSAGES + 1)})
    long = {"role": "user", "content": "{{a}}"}
    with pytest.raises(TextTooLongError, match="4,194,304"):
        render_chat([long] * 5, {"a": "x" * 1_000_000})
    filling = [message | {"content": "x" * 100_000}]
    with pytest.raises(TextTooLongError):
        render_chat(HISTORY * 50, {"history": filling})


PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", " ", "a", "b", "ä.b", "{{a}}", "{{ b }}", "\n", "日"]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    TEXTS.map(lambda text: {"type": "image_url", "image_url": {"url": text, "detail": "low"}}),
    TEXTS.map(lambda text: {"type": "file", "file": {"url": text, "filename": "{{a}}"}}),
    TEXTS.map(lambda text: {"type": "file", "file": {"file_data": text}}),
)
MESSAGES = st.lists(
    st.one_of(
        TEXTS.map(lambda text: {"role": "system", "content": text}),
        st.lists(PARTS, max_size=4).map(lambda parts: {"role": "user", "content": parts}),
        st.sampled_from(["a", "b", "h"]).map(lambda name: {"type": "placeholder", "name": name}),
    ),
    max_size=6,
)
VALUES = st.fixed_dictionaries({}, optional={"a": TEXTS, "ä.b": TEXTS, "h": st.none()})


def templates(messages: list[Json]) -> list[str]:
    """Every text and URL of messages without placeholders, in order."""
    texts = []
    for message in messages:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"text": content}]:
            inner = part.get("image_url") or part.get("file") or part
            texts.append(inner.get("url", inner.get("file_data", inner.get("text"))))
    return texts


def shape(message: Any) -> Any:
    """Everything except the texts and URLs."""
    if isinstance(message, dict):
        rendered = ("text", "url", "file_data")
        return {
            name: isinstance(value, str) if name in rendered else shape(value)
            for name, value in message.items()
            if name != "content" or not isinstance(value, str)
        }
    return [shape(item) for item in message] if isinstance(message, list) else message


@given(messages=MESSAGES, values=VALUES, filling=st.lists(TEXTS, max_size=3))
def test_only_texts_and_urls_are_rendered(
    messages: list[Json], values: Json, filling: list[str]
) -> None:
    names = {message["name"] for message in messages if "role" not in message}
    values = {**values, "b": [{"role": "assistant", "content": text} for text in filling]}
    if "a" in names:
        values.pop("a", None)
    before = json.dumps(messages)
    chat = render_chat(messages, values)
    assert json.dumps(messages) == before
    expected: list[Json] = []
    for message in messages:
        expected += [message] if "role" in message else values.get(message["name"]) or []
    for template, rendered in zip(expected, chat.raw, strict=True):
        texts = templates([template])
        if template["role"] != "assistant":
            texts = [render_template(text, values) for text in texts]
        assert templates([dict(rendered)]) == texts
        assert shape(rendered) == shape(template)
    assert [message.content for message in chat.messages] == [
        joined_texts([message]) for message in chat.raw
    ]
    assert set(chat.left_out) == {name for name in names if values.get(name) is None}
    written = templates([message for message in messages if "role" in message])
    assert set(names_in(messages)) == names | {
        name for template in written for name in variables_in(template)
    }
