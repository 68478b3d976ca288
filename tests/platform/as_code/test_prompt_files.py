"""Prompts in dotprompt files: read back as they were; what has no counterpart is refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.as_code import prompt_files
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.yaml_text import FileError

GREETING = Identity("prompt", "greeting", "prod")


def parsed(text: str) -> dict[str, Any]:
    return prompt_files.parse(text, key="greeting", env="prod").values


def assert_survives(values: dict[str, Any]) -> str:
    content = Content.of("prompt", values)
    text = prompt_files.write(GREETING, content)
    assert prompt_files.parse(text, key="greeting", env="prod") == content
    return text


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"))
pieces = st.sampled_from(
    ["{{who}}", "{{{who}}}", "{{#if a}}", '{{role "user"}}', "{{history}}", "\\{{", "---", "{{!x}}"]
)
templates = st.lists(texts | pieces, max_size=4).map("".join)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": templates}
) | st.fixed_dictionaries(
    {"type": st.just("placeholder"), "name": st.sampled_from(["history", "a"])}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
configs = st.dictionaries(
    st.sampled_from(
        ["max_tokens", "maxOutputTokens", "stop", "temperature", "response_format", "x"]
    ),
    json_values,
    max_size=3,
)


@given(templates, texts, texts, configs)
def test_a_text_survives(content: str, name: str, model: str, config: dict[str, Any]) -> None:
    assert_survives({"content": content, "name": name, "model": model, "config": config})


@given(st.lists(messages, min_size=1, max_size=4), st.sampled_from(["", "a,b"]))
def test_a_chat_survives(chat: list[dict[str, Any]], tags: str) -> None:
    assert_survives({"messages": chat, "tags": tags})


def test_a_prompt_is_easy_to_read() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    text = assert_survives(
        {
            "name": "Greeting",
            "category": "mail",
            "tags": "mail,short",
            "model": "gpt-5",
            "config": {"temperature": 0.2, "max_tokens": 50, "response_format": form},
            "messages": [
                {"role": "system", "content": "You help customers of {{shop}}.\nBe short."},
                {"type": "placeholder", "name": "history"},
                {"role": "assistant", "content": "Yes?"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "{{photo}}"}},
                    ],
                },
            ],
        }
    )
    assert text == (
        "---\n"
        "name: greeting\n"
        "model: gpt-5\n"
        "config:\n"
        "  temperature: 0.2\n"
        "  maxOutputTokens: 50\n"
        "output:\n"
        "  format: json\n"
        "  schema:\n"
        "    type: object\n"
        "    properties:\n"
        "      city:\n"
        "        type: string\n"
        "promptops.env: prod\n"
        "promptops.title: Greeting\n"
        "promptops.category: mail\n"
        "promptops.tags: mail,short\n"
        "---\n"
        '{{role "system"}}\n'
        "You help customers of {{shop}}.\n"
        "Be short.\n"
        "{{history}}\n"
        '{{role "model"}}\n'
        "Yes?\n"
        '{{role "user"}}\n'
        "What is this?\n"
        "{{media url=photo}}\n"
    )


def test_a_tool_call_stands_in_the_front_matter() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    text = assert_survives({"messages": [{"role": "assistant", "tool_calls": [call]}]})
    assert "promptops.messages:" in text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Hello {{name}}!\n", {"content": "Hello {{name}}!"}),
        ("\ufeff---\r\nmodel: m\r\n---\r\nHi\r\n", {"model": "m", "content": "Hi"}),
        ("---\npromptops:\n  tags: [a, b]\n---\nHi", {"tags": "a,b", "content": "Hi"}),
        ("{{! a note }}Hi {{{who}}}", {"content": "Hi {{who}}"}),
        ("---\nconfig: {topP: 0.5, stopSequences: [x]}\n---\nHi",
         {"content": "Hi", "config": {"top_p": 0.5, "stop": ["x"]}}),
        ("---\noutput: {format: json}\n---\nHi",
         {"content": "Hi", "config": {"response_format": {"type": "json_object"}}}),
        ('{{role "system"}}Be kind.{{role "user"}}{{media url="https://a.test/b.png"}}',
         {"messages": [
             {"role": "system", "content": "Be kind."},
             {"role": "user", "content": [
                 {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]}]}),
        ('Before {{role "model"}} after',
         {"messages": [{"role": "user", "content": "Before"},
                       {"role": "assistant", "content": "after"}]}),
    ],
)  # fmt: skip
def test_forms_of_other_tools(text: str, values: dict[str, Any]) -> None:
    assert parsed(text) == values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\n{{#if x}}b{{/if}}", "line 2: {{#if x}} is a block"),
        ("---\nmodel: m\n---\n\n{{>signature}}", "line 5: {{>signature}} inserts another file"),
        ("{{json data}}", "line 1: {{json data}} is not a variable"),
        ("{{~who~}}", "line 1: {{~who~}} is not a variable"),
        ("\\{{who}}", "line 1: escaped braces have no counterpart"),
        ("{{history}} and more", "a text follows a placeholder"),
        ("---\nmodel: m\n", "line 1: the front matter has no end"),
        ("---\nmodel: m\ntools: [a]\n---\n", "line 3: tools has no counterpart in prompts"),
        ("---\ninput:\n  default: {a: 1}\n---\n", "line 2: input.default has no counterpart"),
        ("---\nmodle: m\n---\n", "line 2: 'modle' is not a field of prompts"),
        ("---\npromptops.tag: a\n---\n", "line 2: promptops.tag does not exist"),
        ("---\nmodel: a\nmodel: b\n---\n", "line 3: 'model' is given twice"),
        ("---\nmodel: 5\n---\n", "line 2: model must be a text"),
        ("---\na: &x 1\nb: *x\n---\n", "line 3: is not valid YAML: aliases can't be used"),
        ("---\nconfig: [\n---\n", "is not valid YAML"),
        ("---\n- a\n---\n", "line 2: must be names and values"),
        ("---\n1: a\n---\n", "line 2: names must be texts"),
        ("---\nname: other\n---\n", "line 2: name is 'other', but the path says 'greeting'"),
        ("---\npromptops.env: dev\n---\n", "line 2: promptops.env is 'dev', but the path"),
        ("---\npromptops.content: a\n---\nb", "line 4: there is a text in the front matter"),
        ("---\nconfig: {topP: 1, top_p: 2}\n---\n", "line 2: config gives one parameter under two"),
        ("---\noutput: {format: media}\n---\n", "line 2: output.format: 'media' has no"),
        ("---\noutput: {schema: {a: text}}\n---\n", "'text' is not a type"),
        ("---\na: " + "[" * 60 + "]" * 60 + "\n---\n", "is nested more than 50 levels deep"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(FileError) as refusal:
        parsed(text)
    assert sentence in str(refusal.value)


@given(st.text())
def test_nothing_else_escapes(text: str) -> None:
    with suppress(FileError):
        parsed(text)
