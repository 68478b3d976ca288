"""Messages of chat prompts: the shared conformance cases, and agreement with the server's."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops import MissingVariableError, PlaceholderError, ProtocolError
from promptops.chat import check_messages, joined_texts, render_messages
from promptops.testing import FakePromptOps
from promptops_flows.templates.chat_messages import render_chat

Json = dict[str, Any]
CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "messages.json"
CASES: list[Json] = json.loads(CONFORMANCE.read_text("utf-8"))["cases"]
HISTORY = {"type": "placeholder", "name": "history"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: Json) -> None:
    messages, variables = case["messages"], case["variables"]
    originals = copy.deepcopy((messages, variables))
    check_messages(messages)
    if refused := case.get("refused"):
        with pytest.raises(PlaceholderError) as caught:
            render_messages(messages, variables)
        assert (caught.value.name, caught.value.index) == (refused["variable"], refused["index"])
        assert f"variable '{refused['variable']}' can't fill its placeholder" in str(caught.value)
    else:
        assert render_messages(messages, variables) == case["expected"]
        assert joined_texts(messages) == case["content"]
        if case["missing"]:
            with pytest.raises(MissingVariableError) as missed:
                render_messages(messages, variables, strict=True)
            assert list(missed.value.names) == case["missing"]
        else:
            assert render_messages(messages, variables, strict=True) == case["expected"]
    assert (messages, variables) == originals


texts = st.lists(st.sampled_from(["{{", "}}", "a", " ", "{{a}}", "{{ b }}", "ä"]), max_size=6).map(
    "".join
)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    texts.map(lambda text: {"type": "image_url", "image_url": {"url": text, "detail": "low"}}),
    texts.map(lambda text: {"type": "file", "file": {"url": text, "filename": "{{a}}"}}),
)
filling_messages = st.fixed_dictionaries(
    {"role": st.just("user"), "content": texts | st.lists(parts, max_size=3)}
)
messages_lists = st.lists(filling_messages | st.just(HISTORY), max_size=5)
values = st.fixed_dictionaries(
    {},
    optional={
        "a": texts | st.integers(),
        "b": texts,
        "history": st.lists(filling_messages, max_size=3),
    },
)


@given(messages_lists, values)
def test_agrees_with_the_server(messages: list[Json], variables: Json) -> None:
    assert render_messages(messages, variables) == render_chat(messages, variables).raw


def test_the_caller_owns_the_rendered_messages() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "a"}]}, HISTORY]
    filling = [{"role": "user", "content": [{"type": "text", "text": "b"}]}]
    rendered = render_messages(messages, {"history": filling})
    for message in rendered:
        message["content"][0]["text"] = "changed"
        message["role"] = "changed"
    assert messages[0] == {"role": "user", "content": [{"type": "text", "text": "a"}]}
    assert filling == [{"role": "user", "content": [{"type": "text", "text": "b"}]}]


def test_a_tuple_fills_a_placeholder_too() -> None:
    filling = ({"role": "user", "content": "a"},)
    assert render_messages([HISTORY], {"history": filling}) == list(filling)


@pytest.mark.parametrize(
    "message",
    [
        7,
        {},
        {"role": "user"},
        {"content": "a"},
        {"role": "user", "content": 7},
        {"role": "user", "content": [7]},
        {"role": "user", "content": [{"type": ["text"]}]},
        {"role": "assistant", "tool_calls": []},
        {"type": "placeholder"},
        {"type": "placeholder", "name": 7},
    ],
)
def test_messages_that_no_server_sends_are_refused(message: Any) -> None:
    with pytest.raises(ProtocolError, match="chat message"):
        check_messages([{"role": "user", "content": "a"}, message])


def test_the_client_fills_and_renders() -> None:
    chat = [{"role": "system", "content": "Know {{shop}}"}, HISTORY]
    with FakePromptOps({"support": {"messages": chat}}) as client:
        history = [{"role": "user", "content": "{{shop}}"}]
        variables = {"shop": "Bo's", "history": history}
        assert client.render_messages("support", variables) == [
            {"role": "system", "content": "Know Bo's"},
            *history,
        ]
        assert client.render("support", variables) == "Know Bo's"
        assert client.get_prompt("support")["messages"] == chat
        with pytest.raises(MissingVariableError, match="history"):
            client.render_messages("support", {"shop": "Bo's"}, strict=True)
        with pytest.raises(PlaceholderError, match="message 0 has no role"):
            client.render_messages("support", {"history": [{"content": "x"}]})
