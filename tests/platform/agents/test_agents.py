"""Agent definitions over the wire."""

from typing import Any

import pytest

from harness.agent_tools import ORDER, WEATHER
from harness.agents import save_agent
from harness.people import sent
from harness.platform import RunningPlatform, new_key

TOOL = {"name": "t", "parameters": {"type": "object"}, "url": "https://api.example.org/x"}


def tool(**fields: Any) -> dict[str, Any]:
    return {"tools": [{**TOOL, **fields}]}


async def test_an_agent_has_the_fields_that_existing_clients_read(
    platform: RunningPlatform,
) -> None:
    saved = await save_agent(platform, name="N", description="two\nlines", prompt="Hi {{x}}")
    assert list(saved)[:10] == [
        "id",
        "workspace_id",
        "key",
        "name",
        "description",
        "prompt",
        "provider",
        "model",
        "created_at",
        "updated_at",
    ]
    assert (saved["provider"], saved["model"], saved["workspace_id"]) == ("mock", "", "default")
    read = await platform.http.get(f"/api/agents/{saved['id']}")
    assert read.json()["data"] == saved
    # An existing console sends back what it got.
    again = sent(await platform.http.put(f"/api/agents/{saved['id']}", json=saved))
    assert again == {**saved, "updated_at": again["updated_at"]}


async def test_a_version_counts_changes_of_the_definition(platform: RunningPlatform) -> None:
    url = f"/api/agents/{(await save_agent(platform, prompt='one'))['id']}"
    for fields, version in (
        ({"name": "other"}, 1),
        ({"prompt": "one"}, 1),
        ({"prompt": "two"}, 2),
        ({"parameters": {"x": 1}}, 3),
        ({"parameters": {"x": True}}, 4),
        ({"output_schema": {"type": "string"}}, 5),
        ({"output_schema": {}}, 6),
    ):
        assert sent(await platform.http.put(url, json=fields))["version"] == version, fields
    assert sent(await platform.http.get(url))["parameters"] == {"x": True}


async def test_an_edit_of_an_older_version_is_refused_with_the_current_agent(
    platform: RunningPlatform,
) -> None:
    saved = await save_agent(platform, prompt="one")
    url = f"/api/agents/{saved['id']}"
    theirs = sent(await platform.http.put(url, json={"prompt": "two", "if_version": 1}))
    answer = await platform.http.put(url, json={"prompt": "three", "if_version": 1})
    assert answer.status_code == 409, answer.text
    body = answer.json()
    assert body["code"] == "edited_meanwhile"
    assert body["current"] == theirs
    assert "if_version 2" in body["error"]
    assert sent(await platform.http.get(url)) == theirs
    merged = sent(await platform.http.put(url, json={"prompt": "three", "if_version": 2}))
    assert (merged["prompt"], merged["version"]) == ("three", 3)
    # Without it, and for existing clients, the last write wins.
    assert sent(await platform.http.put(url, json={"prompt": "four"}))["version"] == 4


async def test_text_and_reference_replace_each_other(platform: RunningPlatform) -> None:
    saved = await save_agent(platform, prompt="text")
    url = f"/api/agents/{saved['id']}"
    referring = sent(await platform.http.put(url, json={"prompt_ref": {"key": "k"}}))
    assert referring["prompt"] == ""
    assert referring["prompt_ref"] == {"key": "k", "env": "prod", "version": None}
    # As a console sends it that knows no references.
    kept = sent(await platform.http.put(url, json={"prompt": "", "name": "n"}))
    assert kept["prompt_ref"] == referring["prompt_ref"]
    texted = sent(await platform.http.put(url, json={"prompt": "again"}))
    assert (texted["prompt"], texted["prompt_ref"]) == ("again", None)


async def test_a_list_is_filtered(platform: RunningPlatform) -> None:
    word = new_key()
    first = await save_agent(platform, description=f"about {word}")
    second = await save_agent(platform, name=word.upper())
    agents = sent(await platform.http.get("/api/agents", params={"q": word}))
    assert [agent["id"] for agent in agents] == [second["id"], first["id"]]
    empty = {"q": "", "workspace": ""}
    assert len(sent(await platform.http.get("/api/agents", params=empty))) >= 2
    assert (await platform.http.get("/api/agents?workspace=unknown")).status_code == 404


async def test_a_taken_key_is_a_conflict(platform: RunningPlatform) -> None:
    key = (await save_agent(platform))["key"]
    answer = await platform.http.post("/api/agents", json={"key": key})
    assert answer.status_code == 409
    assert answer.json()["error"].startswith(f"key: '{key}' is taken")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"provider": "watson"}, "provider: provider 'watson' is unknown; use one of mock, openai"),
        ({"fallbacks": [{"provider": "x"}]}, "fallbacks.0.provider: provider 'x' is unknown"),
        ({"fallbacks": [{"provider": "mock", "key": 1}]}, "fallbacks.0.key: is not a known field"),
        ({"fallbacks": [{"provider": "mock"}] * 6}, "fallbacks: "),
        ({"prompt": "a", "prompt_ref": {"key": "b"}}, "prompt: a text was sent along with"),
        ({"prompt_ref": {"env": "dev"}}, "prompt_ref.key: is required"),
        ({"prompt_ref": {"key": "a b"}}, "prompt_ref.key: contains ' '"),
        ({"max_steps": 0}, "max_steps: "),
        ({"max_steps": 51}, "max_steps: "),
        ({"window_messages": 0}, "window_messages: "),
        ({"parameters": {"messages": []}}, "parameters: 'messages' is set by the agent's own"),
        ({"parameters": {"max_tokens": "5"}}, "parameters: 'max_tokens' must be a whole number"),
        ({"parameters": []}, "parameters: "),
        ({"output_schema": {"type": "objekt"}}, "output_schema: is not a JSON Schema"),
        (tool(name="a b"), "tools.0.name: "),
        (tool(parameters={"type": "string"}), "tools.0.parameters: must describe an object"),
        (tool(parameters={"type": "object", "required": 5}), "tools.0.parameters: is not a JSON"),
        (tool(url="ftp://x"), "tools.0: url: must begin with http:// or https://"),
        (tool(url="https://x/{{y}}"), "tools.0: url: needs the argument 'y'"),
        (tool(method="TRACE"), "tools.0.method: "),
        (
            tool(headers={"Authorization": "Bearer x"}),
            "tools.0.headers: 'authorization' looks like",
        ),
        (tool(headers={"X-Api-Key": "x"}), "tools.0.headers: 'x-api-key' looks like"),
        (tool(headers={"Host": "x"}), "tools.0.headers: 'Host' is set by the request itself"),
        (tool(headers={"x": "a\r\nb: c"}), "tools.0.headers: the value of 'x' must be"),
        (tool(timeout_seconds=0), "tools.0.timeout_seconds: "),
        (tool(max_response_bytes=2_000_000), "tools.0.max_response_bytes: "),
        (tool(secret="x"), "tools.0.secret: is not a known field"),
        ({"tools": [TOOL, TOOL]}, "tools: two tools are called 't'"),
    ],
)
async def test_what_cant_run_is_a_400_that_names_it(
    platform: RunningPlatform, fields: dict[str, Any], message: str
) -> None:
    answer = await platform.http.post("/api/agents", json={"key": new_key(), **fields})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(message), answer.json()["error"]
    saved = await save_agent(platform, prompt="kept")
    answer = await platform.http.put(f"/api/agents/{saved['id']}", json=fields)
    assert answer.status_code == 400
    assert sent(await platform.http.get(f"/api/agents/{saved['id']}")) == saved


async def test_a_value_that_may_be_a_secret_is_not_repeated(platform: RunningPlatform) -> None:
    fields = tool(headers={"Authorization": "Bearer sk-secret"})
    answer = await platform.http.post("/api/agents", json={"key": new_key(), **fields})
    assert answer.status_code == 400
    assert "sk-secret" not in answer.text


async def test_tools_are_kept_as_they_were_sent(platform: RunningPlatform) -> None:
    saved = await save_agent(
        platform,
        tools=[
            {**TOOL, "name": "forecast", "parameters": WEATHER, "url": "https://h/{{city}}"},
            {
                **TOOL,
                "name": "order",
                "parameters": ORDER,
                "method": "POST",
                "headers": {"X-Author": "y"},
            },
        ],
    )
    assert [tool["parameters"] for tool in saved["tools"]] == [WEATHER, ORDER]
    assert list(saved["tools"][0]["parameters"]["properties"]) == ["city", "days"]
    assert saved["tools"][1]["headers"] == {"x-author": "y"}


async def test_a_key_of_other_environments_cant_use_a_prompt_of_this_one(
    platform: RunningPlatform,
) -> None:
    made = {"name": new_key(), "role": "editor", "environments": ["dev"]}
    key = sent(await platform.http.post("/api/keys", json=made))["key"]
    saved = await save_agent(platform, prompt_ref={"key": "k", "env": "prod"})
    async with platform.client(key) as client:
        body = {"key": new_key(), "prompt_ref": {"key": "k", "env": "prod"}}
        assert (await client.post("/api/agents", json=body)).status_code == 403
        assert (await client.post(f"/api/agents/{saved['id']}/run", json={})).status_code == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"variables": []}, "variables: must be an object"),
        ({"variables": {"a": "\u0000"}}, "variables"),
        ({"conversation_id": "a b"}, "conversation_id: contains ' '"),
        ({"input": "\u0000"}, "input: contains the control character U+0000"),
        ({"stream": "perhaps"}, "stream: "),
        ({"base_url": "http://169.254.169.254/"}, "base_url"),
    ],
)
async def test_a_run_that_makes_no_sense_is_a_400(
    platform: RunningPlatform, body: dict[str, Any], message: str
) -> None:
    saved = await save_agent(platform, provider="openai")
    answer = await platform.http.post(f"/api/agents/{saved['id']}/run", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(message)


async def test_watchers_hear_nothing_of_agents(platform: RunningPlatform) -> None:
    async with platform.watch(namespace="prod") as watcher:
        saved = await save_agent(platform)
        await platform.http.delete(f"/api/agents/{saved['id']}")
        prompt = await platform.create(env="prod", content="x")
        assert prompt["key"] in await watcher.recv()
