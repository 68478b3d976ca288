"""Rules over several fields: the API description refuses what the platform refuses, no more."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.platform import TOKEN, RunningPlatform, new_key
from promptops_platform.app import openapi

Json = dict[str, Any]
REFERENCE = {"key": "x", "env": "prod"}
MESSAGE = {"role": "user", "content": "Hello"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
# Path of a POST, and bodies that are taken (or fail for other reasons than a wrong value).
TAKEN: list[tuple[str, Json]] = [
    ("/api/login", {"token": TOKEN}),
    ("/api/login", {"token": TOKEN, "username": "ada"}),
    ("/api/login", {"username": "nobody", "password": ""}),
    ("/api/keys", {"name": "k", "role": "metrics"}),
    ("/api/keys", {"name": "k", "role": "metrics", "workspace": "", "environments": []}),
    ("/api/keys", {"name": "k", "role": "admin", "manage_accounts": True}),
    ("/api/keys", {"name": "k", "environments": ["dev"], "manage_accounts": False}),
    ("/api/prompts", {"kind": "text", "messages": []}),
    ("/api/prompts", {"kind": "text", "messages": None}),
    ("/api/prompts", {"kind": "chat", "messages": [MESSAGE]}),
    ("/api/prompts", {"messages": [MESSAGE]}),
    ("/api/prompts", {"messages": [{"role": "assistant", "content": ""}]}),
    ("/api/prompts", {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]}),
    ("/api/prompts", {"messages": []}),
    ("/api/agents", {"prompt": "", "prompt_ref": REFERENCE}),
    ("/api/agents", {"prompt": "Hello", "prompt_ref": None}),
    ("/api/providers", {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9"}),
    ("/api/providers", {"kind": "mock"}),
    ("/api/playground/run", {"content": "Hello"}),
    ("/api/playground/run", {"content": "", "messages": [MESSAGE]}),
    ("/api/workflows", {"steps": []}),
    ("/api/workflows", {"steps": [{"type": "render"}, {"type": "render", "template": None}]}),
    ("/api/workflows", {"steps": [{"type": "transform", "op": "trim", "template": 5}]}),
    ("/api/workflows", {"steps": [{"type": "model", "model": "x", "name": None}]}),
    ("/api/workflows", {"steps": [{"type": "model", "timeout": 5, "cache": "", "retries": None}]}),
    ("/api/workflows", {"steps": [{"type": "transform", "op": "trim", "expression": 5}]}),
    ("/api/workflows", {"steps": [{"type": "http", "url": "https://a.b/", "method": ""}]}),
    ("/api/workflows", {"steps": [{"type": "map", "step": {"type": "render"}, "width": None}]}),
]
REFUSED: list[tuple[str, Json]] = [
    ("/api/login", {}),
    ("/api/login", {"username": "ada"}),
    ("/api/login", {"token": "", "password": "x"}),
    ("/api/keys", {"name": "k", "role": "metrics", "workspace": "default"}),
    ("/api/keys", {"name": "k", "role": "metrics", "environments": ["dev"]}),
    ("/api/keys", {"name": "k", "role": "editor", "manage_accounts": True}),
    ("/api/keys", {"name": "k", "manage_accounts": True}),
    (
        "/api/keys",
        {"name": "k", "role": "admin", "environments": ["dev"], "manage_accounts": True},
    ),
    ("/api/prompts", {"kind": "text", "messages": [MESSAGE]}),
    ("/api/prompts", {"kind": "chat", "messages": []}),
    ("/api/prompts", {"kind": "chat"}),
    ("/api/prompts", {"messages": [{"role": "assistant"}]}),
    ("/api/prompts", {"messages": [{"role": "assistant", "content": None, "tool_calls": []}]}),
    ("/api/agents", {"prompt": "Hello", "prompt_ref": REFERENCE}),
    ("/api/providers", {"kind": "openai-compatible"}),
    ("/api/providers", {"kind": "openai-compatible", "base_url": ""}),
    ("/api/providers", {"name": "claude", "kind": "openai"}),
    ("/api/playground/run", {}),
    ("/api/playground/run", {"id": "", "content": "", "messages": []}),
    ("/api/workflows", {"steps": [{}]}),
    ("/api/workflows", {"steps": [{"type": "loop"}]}),
    ("/api/workflows", {"steps": [{"type": "transform"}]}),
    ("/api/workflows", {"steps": [{"type": "transform", "op": "reverse"}]}),
    ("/api/workflows", {"steps": [{"type": "render", "template": 5}]}),
    ("/api/workflows", {"steps": [{"type": "model", "model": ["x"]}]}),
    ("/api/workflows", {"steps": [{"type": "render", "name": 5}]}),
    ("/api/workflows", {"steps": [{"type": "render", "retries": 11}]}),
    ("/api/workflows", {"steps": [{"type": "render", "timeout": "soon"}]}),
    ("/api/workflows", {"steps": [{"type": "transform", "op": "jinja"}]}),
    ("/api/workflows", {"steps": [{"type": "http"}]}),
    ("/api/workflows", {"steps": [{"type": "agent", "version": "1"}]}),
    ("/api/workflows", {"steps": [{"type": "map", "step": {"type": "branch", "when": "x"}}]}),
]
# What a new one must have besides.
NAMED = {"/api/prompts": "key", "/api/agents": "key", "/api/workflows": "key"}
NAMED |= {"/api/providers": "name"}
# Edits follow the same rules, as far as what is stored can't make up for what is missing.
EDITS = [
    ("prompt", {"kind": "text", "messages": [MESSAGE]}, True),
    ("prompt", {"kind": "chat", "messages": []}, True),
    ("prompt", {"kind": "text"}, False),
    ("agent", {"prompt": "Hello", "prompt_ref": REFERENCE}, True),
    ("agent", {"prompt_ref": REFERENCE}, False),
    ("workflow", {"steps": [{"type": "transform"}]}, True),
    ("workflow", {"name": "x", "steps": None}, False),
]


def is_described(path: str, method: str, body: Json) -> bool:
    """Whether the API description takes this body."""
    document = openapi()
    schema = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    return not list(Draft202012Validator({**document, **schema}).iter_errors(body))


@pytest.mark.parametrize(
    ("path", "fields", "refused"),
    [(*case, False) for case in TAKEN] + [(*case, True) for case in REFUSED],
    ids=str,
)
async def test_a_body_is_refused_by_the_platform_as_by_its_description(
    platform: RunningPlatform, path: str, fields: Json, refused: bool
) -> None:
    body = {NAMED[path]: new_key(), **fields} if path in NAMED else fields
    assert is_described(path, "post", body) is not refused
    answer = await platform.http.post(path, json=body)
    assert (answer.status_code == 400) is refused, answer.text


@pytest.mark.parametrize(("kind", "body", "refused"), EDITS, ids=str)
async def test_so_is_an_edit(
    platform: RunningPlatform, kind: str, body: Json, refused: bool
) -> None:
    saved = await platform.http.post(f"/api/{kind}s", json={"key": new_key()})
    assert is_described(f"/api/{kind}s/{{{kind}_id}}", "put", body) is not refused
    path = f"/api/{kind}s/{saved.json()['data']['id']}"
    answer = await platform.http.put(path, json=body)
    assert answer.status_code == (400 if refused else 200), answer.text


def test_every_schema_with_rules_is_tried() -> None:
    ruled = {
        name for name, schema in openapi()["components"]["schemas"].items() if "allOf" in schema
    }
    tried = {"LoginRequest", "ApiKeyCreate", "PromptCreate", "PromptUpdate", "AgentCreate"}
    tried |= {"AssistantMessage", "AgentEdit", "ConnectionCreate", "PlaygroundRun"}
    tried |= {"TransformStepDefinition"}
    assert ruled == tried, "add cases for it above"
