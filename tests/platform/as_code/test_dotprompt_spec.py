"""What the `spec/*.yaml` of google/dotprompt test, in texts of our own: each row names the file and
the case. A row renders as it does there, without the blanks around a text, or is refused.

Not portable, because they test how a program renders: values of `input.default`, of `@state` and
`@metadata`, and the history that dotprompt inserts before the last message of a prompt that has no
`{{history}}`.
"""

from typing import Any

import pytest

from promptops_flows.templates.language import render_template
from promptops_platform.as_code import prompt_files
from promptops_platform.as_code.yaml_text import FileError


def values_of(text: str) -> dict[str, Any]:
    return prompt_files.parse(text, key="greeting", env="prod").values


def rendered(text: str, variables: dict[str, Any]) -> list[tuple[str, Any]]:
    """Role and content of each message. A text is a message of the user, as in dotprompt."""
    values = values_of(text)
    if "messages" not in values:
        return [("user", render_template(values["content"], variables))]
    return [_message(message, variables) for message in values["messages"]]


def _message(message: dict[str, Any], variables: dict[str, Any]) -> tuple[str, Any]:
    if message.get("type") == "placeholder":
        return ("placeholder", message["name"])
    content = message["content"]
    if isinstance(content, str):
        return (message["role"], render_template(content, variables))
    urls = [render_template(part["image_url"]["url"], variables) for part in content]
    return (message["role"], urls)


PHOTO = "https://a.test/cat.png"


@pytest.mark.parametrize(
    ("text", "variables", "messages"),
    [
        pytest.param(
            "Dear {{who}},\n", {"who": "Ada"}, [("user", "Dear Ada,")], id="variables basic"
        ),
        pytest.param(
            "Dear {{who}}", {"who": "<i>Ada</i>"}, [("user", "Dear <i>Ada</i>")],
            id="variables no escape of HTML",
        ),
        pytest.param(
            "你好 {{who}}! {{wave}}\n", {"who": "小明", "wave": "👋🏽"},
            [("user", "你好 小明! 👋🏽")],
            id="unicode_in_template",
        ),
        pytest.param(
            "{{person.name}}: {{person.city}}", {"person.name": "田中", "person.city": "大阪"},
            [("user", "田中: 大阪")], id="unicode_nested, by the whole names",
        ),
        pytest.param(
            '{{role "system"}}Be brief.\n{{role "user"}}Hi, {{who}}\n{{role "model"}}Hello\n',
            {"who": "I am Ada"},
            [("system", "Be brief."), ("user", "Hi, I am Ada"), ("assistant", "Hello")],
            id="helpers/role",
        ),
        pytest.param(
            'Before.\n{{history}}\n{{role "model"}}After.\n', {},
            [("user", "Before."), ("placeholder", "history"), ("assistant", "After.")],
            id="helpers/history with_explicit",
        ),
        pytest.param(
            "{{media url=photo}}", {"photo": PHOTO}, [("user", [PHOTO])], id="helpers/media basic"
        ),
        pytest.param(
            '{{media url=photo contentType="image/png"}}', {"photo": PHOTO}, [("user", [PHOTO])],
            id="helpers/media contentType",
        ),
    ],
)  # fmt: skip
def test_it_renders_as_there(
    text: str, variables: dict[str, Any], messages: list[tuple[str, Any]]
) -> None:
    assert rendered(text, variables) == messages


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(
            "---\nmodel: m\ndescription: d\nversion: 2\nvariant: b\nmetadata: {a: 1}\n---\nHi",
            {"model": "m", "content": "Hi"}, id="metadata fields",
        ),
        pytest.param(
            "---\nconfig:\n  temperature: 0.5\n---\nHi",
            {"config": {"temperature": 0.5}, "content": "Hi"}, id="metadata config",
        ),
        pytest.param(
            "---\nours.a: 1\nours.b.c: 2\n---\nHi", {"content": "Hi"}, id="metadata ext"
        ),
        pytest.param(
            "---\ninput:\n  schema:\n    who: string, the name\n---\n{{who}}",
            {"content": "{{who}}"}, id="picoschema input",
        ),
        pytest.param(
            "---\noutput:\n  format: json\n  schema:\n    done?: boolean\n---\nHi",
            {
                "content": "Hi",
                "config": {
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {
                            "name": "output",
                            "schema": {
                                "type": "object",
                                "properties": {"done": {"type": ["boolean", "null"]}},
                                "additionalProperties": False,
                            },
                        },
                    }
                },
            },
            id="picoschema output",
        ),
    ],
)  # fmt: skip
def test_its_front_matter(text: str, values: dict[str, Any]) -> None:
    assert values_of(text) == values


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("---\ninput:\n  default: {a: b}\n---\n", 2, id="variables default"),
        pytest.param("---\nmodel: m\ntools: [t]\n---\nHi", 3, id="metadata tools"),
        pytest.param("Hi\n{{@state.mood}}", 2, id="metadata_state"),
        pytest.param("Hi\n{{> footer}}", 2, id="partials basic"),
        pytest.param("Hi\n{{> footer name=who}}", 2, id="partials arguments"),
        pytest.param("{{#each list}}{{this}}{{/each}}", 1, id="helpers/each, unicode_iteration"),
        pytest.param("{{#if a}}b{{else}}c{{/if}}", 1, id="helpers/if"),
        pytest.param("{{#unless a}}b{{/unless}}", 1, id="helpers/unless"),
        pytest.param("\n{{#ifEquals a b}}c{{/ifEquals}}", 2, id="helpers/ifEquals"),
        pytest.param("{{#unlessEquals a b}}c{{/unlessEquals}}", 1, id="helpers/unlessEquals"),
        pytest.param("{{json data}}", 1, id="helpers/json"),
        pytest.param("{{json data indent=2}}", 1, id="helpers/json indent"),
        pytest.param('{{section "code"}}', 1, id="helpers/section"),
        pytest.param('Hi\n{{role "user" purpose="preamble"}}', 2, id="helpers/role_metadata"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(FileError) as refusal:
        values_of(text)
    assert str(refusal.value).startswith(f"line {line}: ")
