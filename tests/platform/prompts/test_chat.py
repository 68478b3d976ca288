"""Chat prompts, config and variables over the wire."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.platform import RunningPlatform, new_key
from promptops_flows.templates.language import render_template
from promptops_platform.prompts.body import Body, variables_of

CHAT = [
    {"role": "system", "content": "Answer in {{language}}."},
    {"role": "user", "content": "Hello {{ name }}, {{language}}!"},
]
JOINED = "Answer in {{language}}.\n\nHello {{ name }}, {{language}}!"
CONFIG = {
    "temperature": 0.2,
    "response_format": {"type": "json_schema", "schema": {"b": 1, "a": 2}},
}


async def saved(platform: RunningPlatform, prompt_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await platform.http.get(f"/api/prompts/{prompt_id}")).json()["data"]
    return data


async def test_messages_make_a_chat_whose_content_is_their_texts(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(messages=CHAT, config=CONFIG)
    assert (prompt["kind"], prompt["messages"], prompt["config"]) == ("chat", CHAT, CONFIG)
    assert prompt["content"] == JOINED
    assert prompt["variables"] == ["language", "name"]
    assert prompt["updated_by"] == "admin"
    assert await saved(platform, prompt["id"]) == prompt
    page = (await platform.http.get("/api/prompts", params={"q": prompt["key"]})).json()
    assert page["data"] == [prompt]


async def test_a_text_prompt_has_the_defaults(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="{{b}} {{ a.b }} {{b}} {{ }}")
    assert (prompt["kind"], prompt["messages"], prompt["config"]) == ("text", [], {})
    assert prompt["variables"] == ["b", "a.b"]


async def test_a_fetch_carries_messages_and_config_after_the_contracts_fields(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(env="prod", messages=CHAT, config=CONFIG, model="m")
    for _ in range(2):
        answer = await platform.fetch(prompt["key"])
        assert json.loads(answer.content) == {
            "key": prompt["key"],
            "version": "v1",
            "env": "prod",
            "model": "m",
            "content": JOINED,
            "kind": "chat",
            "messages": CHAT,
            "config": CONFIG,
        }
        assert list(answer.json())[:5] == ["key", "version", "env", "model", "content"]
        await platform.publish(prompt["id"])


async def test_a_text_with_config_is_served_with_it_alone(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="x", config={"temperature": 1})
    assert (await platform.fetch(prompt["key"])).text.endswith(
        '"content":"x","config":{"temperature":1}}'
    )


async def test_versions_keep_messages_config_note_and_author(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", messages=CHAT, config=CONFIG)
    url = f"/api/prompts/{prompt['id']}"
    body = {"id": prompt["id"], "note": "first\nfor the pilot"}
    version = (await platform.http.post("/api/prompts/publish", json=body)).json()["data"]
    assert (version["note"], version["author"]) == ("first\nfor the pilot", "admin")
    assert (version["kind"], version["messages"], version["config"]) == ("chat", CHAT, CONFIG)
    assert version["variables"] == ["language", "name"]
    await platform.http.put(url, json={"kind": "text", "config": {}})
    changed = await saved(platform, prompt["id"])
    assert (changed["kind"], changed["messages"], changed["content"]) == ("text", [], JOINED)
    assert (await platform.publish(prompt["id"]))["version"] == "v2"
    assert (await platform.fetch(prompt["key"])).json().keys() == {
        "key", "version", "env", "model", "content",
    }  # fmt: skip
    back = {"id": prompt["id"], "version": "v1"}
    rolled = (await platform.http.post("/api/prompts/rollback", json=back)).json()["data"]
    assert (rolled["kind"], rolled["messages"], rolled["config"]) == ("chat", CHAT, CONFIG)
    assert (await platform.fetch(prompt["key"])).json()["messages"] == CHAT


async def test_only_what_is_served_makes_a_new_version(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=CHAT)
    url = f"/api/prompts/{prompt['id']}"
    first = await platform.publish(prompt["id"])
    edits: list[dict[str, Any]] = [
        {"config": {"seed": 1}},
        {"config": {"seed": True}},
        {"config": {"seed": 1.0}},
        {"config": {"a": 1, "b": 2}},
        {"config": {"b": 2, "a": 1}},
        {"messages": [CHAT[0], CHAT[1] | {"role": "assistant"}]},
        {"kind": "text"},
    ]
    hashes = [first["content_hash"]]
    for edit in edits:
        await platform.http.put(url, json=edit)
        read = await saved(platform, prompt["id"])
        assert json.dumps({name: read[name] for name in edit}) == json.dumps(edit)
        hashes.append((await platform.publish(prompt["id"]))["content_hash"])
    assert len(set(hashes)) == len(hashes)
    await platform.http.put(url, json={"name": "not served"})
    assert (await platform.publish(prompt["id"]))["content_hash"] == hashes[-1]


def test_the_hashes_of_existing_versions_stay() -> None:
    assert Body("one", "m1").content_hash() == (
        "a7d9d20ce98efd03b2cf9b62193be203220bee3012f6fcf21ad2669601edb4f4"
    )


async def test_what_was_read_can_be_sent_back(platform: RunningPlatform) -> None:
    for fields in ({"content": "x"}, {"messages": CHAT, "config": CONFIG}):
        prompt = await platform.create(**fields)
        answer = await platform.http.put(f"/api/prompts/{prompt['id']}", json=prompt)
        assert answer.status_code == 200, answer.text
        unchanged = ("content", "kind", "messages", "config", "version", "env")
        sent_back = answer.json()["data"]
        assert [sent_back[name] for name in unchanged] == [prompt[name] for name in unchanged]


async def test_stale_content_beside_new_messages_is_made_anew(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=CHAT)
    edited = prompt | {"messages": [{"role": "user", "content": "new"}]}
    answer = await platform.http.put(f"/api/prompts/{prompt['id']}", json=edited)
    assert answer.json()["data"]["content"] == "new"


async def test_a_text_becomes_a_chat_and_a_chat_a_text(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="plain")
    url = f"/api/prompts/{prompt['id']}"
    chat = (await platform.http.put(url, json={"kind": "chat", "messages": CHAT})).json()["data"]
    assert (chat["kind"], chat["content"]) == ("chat", JOINED)
    text = await platform.http.put(url, json={"kind": "text", "content": "again"})
    assert text.json()["data"]["messages"] == []
    assert text.json()["data"]["content"] == "again"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "voice"}, "kind: input should be 'text' or 'chat' (got 'voice')"),
        ({"kind": "chat"}, "messages: a chat prompt needs at least one"),
        ({"kind": "chat", "messages": []}, "messages: a chat prompt needs at least one"),
        ({"kind": "text", "messages": CHAT}, "messages: a text prompt has none (got 2)"),
        ({"messages": CHAT, "content": "other"}, "content: the content of a chat prompt"),
        ({"messages": {}}, "messages: input should be a valid list"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: is required"),
        ({"messages": [{"content": "x"}]}, "messages.0.role: is required"),
        (
            {"messages": [CHAT[0], {"role": "robot", "content": "x"}]},
            "messages.1.role: must be one of system, developer, user, assistant, tool",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id: is required"),
        ({"messages": [CHAT[0] | {"weight": 1}]}, "messages.0.weight: is not a known field"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "a\u0000"}]}, "U+0000"),
        ({"messages": [{"role": "user", "content": "x"}] * 201}, "200"),
        ({"messages": [{"role": "user", "content": "x" * 600_000}] * 2}, "1200002 characters"),
        ({"config": []}, "config"),
        ({"config": "x"}, "config"),
        ({"config": {"a": "\u0000"}}, "U+0000"),
        ({"config": {"a\u0000": 1}}, "U+0000"),
        ({"config": {"a": "x" * 70_000}}, "config: has 70008 characters as JSON, at most 65536"),
    ],
)
async def test_what_cannot_be_a_prompt_is_refused(
    platform: RunningPlatform, fields: dict[str, Any], message: str
) -> None:
    prompt = await platform.create(content="kept")
    for answer in (
        await platform.http.post("/api/prompts", json={"key": new_key(), **fields}),
        await platform.http.put(f"/api/prompts/{prompt['id']}", json=fields),
    ):
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["error"]
        assert len(answer.json()["error"]) < 400
    assert await saved(platform, prompt["id"]) == prompt


async def test_config_without_a_number_is_refused(platform: RunningPlatform) -> None:
    for number in (b"NaN", b"Infinity", b"1e999"):
        content = b'{"key":"%s","config":{"a":%s}}' % (new_key().encode(), number)
        answer = await platform.http.post("/api/prompts", content=content)
        assert answer.status_code == 400
        assert "config" in answer.json()["error"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"content": "edited by who knows no messages"},
            "content: the content of a chat prompt is",
        ),
        ({"messages": []}, "messages: a chat prompt needs at least one"),
        ({"kind": "text", "messages": CHAT}, "messages: a text prompt has none"),
    ],
)
async def test_an_edit_that_would_lose_messages_is_refused(
    platform: RunningPlatform, fields: dict[str, Any], message: str
) -> None:
    prompt = await platform.create(messages=CHAT)
    answer = await platform.http.put(f"/api/prompts/{prompt['id']}", json=fields)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert await saved(platform, prompt["id"]) == prompt


async def test_too_long_a_note_is_refused(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    body = {"id": prompt["id"], "note": "n" * 2001}
    answer = await platform.http.post("/api/prompts/publish", json=body)
    assert answer.status_code == 400
    assert "note" in answer.json()["error"]
    assert (await saved(platform, prompt["id"]))["published_version"] is None


PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", " ", "\n", "\u00a0", "name", "ä.b", "²", "Ⅷ", "_", "x", "{{a}}", "日"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
ROLES = st.sampled_from(["system", "developer", "user", "assistant"])
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES, "content": TEXTS}), min_size=1)


@given(content=TEXTS)
def test_variables_are_the_names_that_rendering_replaces(content: str) -> None:
    names = variables_of(Body(content))
    assert len(names) == len(set(names))
    given_all = dict.fromkeys(names, "!")
    assert render_template(content, given_all) == render_template(content, Anything())
    for name in names:
        assert render_template(content, {name: "!"}) != content
    assert render_template(content, Without(names)) == content


class Anything(dict[str, str]):
    """A value for every name."""

    def get(self, _name: str, _default: Any = None) -> Any:
        return "!"


class Without(dict[str, str]):
    """A value for every name but these."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def get(self, name: str, _default: Any = None) -> Any:
        return None if name in self._names else "!"


@given(messages=MESSAGES)
def test_content_is_the_texts_and_variables_are_those_of_each(
    messages: list[dict[str, str]],
) -> None:
    body = Body().edited({"messages": messages})
    assert body.content == "\n\n".join(message["content"] for message in messages)
    of_each = [name for message in messages for name in variables_of(Body(message["content"]))]
    assert variables_of(body) == list(dict.fromkeys(of_each))
    assert body.edited({}) == body.edited(body.columns()) == body
    as_text = body.edited({"kind": "text"})
    assert (as_text.content, as_text.messages) == (body.content, [])
    assert as_text.content_hash() != body.content_hash()


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    TEXTS.map(lambda text: {"type": "image_url", "image_url": {"url": f"u{text}"}}),
    TEXTS.map(lambda text: {"type": "file", "file": {"file_data": f"u{text}", "filename": "f"}}),
)
FORMS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": ROLES, "content": TEXTS}),
        st.lists(PARTS, min_size=1, max_size=4).map(
            lambda parts: {"role": "user", "content": parts}
        ),
        st.just({"role": "assistant", "tool_calls": [CALL]}),
        TEXTS.map(lambda text: {"role": "tool", "tool_call_id": "c", "content": text}),
        st.sampled_from(["a", "ä.b"]).map(lambda name: {"type": "placeholder", "name": name}),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(messages=FORMS, config=st.dictionaries(st.text("abc"), st.integers() | st.booleans()))
async def test_a_fetch_serves_what_was_saved(
    platform: RunningPlatform, messages: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    prompt = await platform.create(env="prod", messages=messages, config=config)
    for _ in range(2):
        served = (await platform.fetch(prompt["key"])).json()
        assert served["messages"] == messages
        assert served["content"] == prompt["content"]
        assert json.dumps(served.get("config", {})) == json.dumps(config)
        await platform.publish(prompt["id"])


async def test_a_variant_is_served_with_its_messages(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", messages=CHAT, config=CONFIG)
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}"
    await platform.http.put(url, json={"kind": "text", "content": "plain", "config": {}})
    await platform.publish(prompt["id"])
    for weight, variant in ((100, "A"), (0, "B")):
        rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": weight}
        await platform.http.put(f"{url}/rollout", json=rollout)
        served = (await platform.fetch(prompt["key"])).json()
        assert served["variant"] == variant
        assert served.get("messages") == (CHAT if variant == "A" else None)
        assert served.get("config") == (CONFIG if variant == "A" else None)
