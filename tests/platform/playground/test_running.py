"""The playground's whole answers: what is asked, what comes back, and what the run log keeps."""

from typing import Any

import httpx
import pytest

from harness.connections import new_connection
from harness.people import new_workspace, sent
from harness.platform import RunningPlatform, new_key
from harness.runs import detail
from harness.vendors import Answer, fake_vendor
from promptops_providers.provider_names import PROVIDER_NAMES

KEY = "sk-of-this-run-only"
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_770_000_000,
    "model": "tiny-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}


async def ask(platform: RunningPlatform, **body: Any) -> httpx.Response:
    return await platform.http.post("/api/playground/run", json=body)


async def logged(platform: RunningPlatform, answer: httpx.Response) -> dict[str, Any]:
    """The run log's entry of an answer."""
    entry: dict[str, Any] = sent(await platform.http.get(f"/api/runs/{answer.json()['run_id']}"))
    return entry


async def test_the_answer_of_the_contract_comes_first(platform: RunningPlatform) -> None:
    answer = await ask(platform, content="Hello {{who}}!", variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body)[:2] == ["rendered", "result"]
    assert body["rendered"] == "Hello Ada!"
    assert body["result"] == {
        "provider": "mock",
        "model": "mock-1",
        "output": "[mock completion] Hello Ada!",
    }
    assert body["messages"] == [{"role": "user", "content": "Hello Ada!"}]
    assert body["usage"]["estimated"] is True
    assert body["stop_reason"] == "end"


async def test_the_run_log_has_the_run(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="Hello {{who}}!", env="dev")
    answer = await ask(platform, id=prompt["id"], variables={"who": "Ada"}, provider="mock")
    entry = await logged(platform, answer)
    assert (entry["source"], entry["ref_key"]) == ("playground", prompt["key"])
    assert (entry["provider"], entry["model"], entry["status"]) == ("mock", "mock-1", "ok")
    assert entry["user"] == "admin"
    assert entry["flow_run_id"] is None
    assert entry["inputs"]["variables"] == {"who": "Ada"}
    assert entry["inputs"]["prompt"]["id"] == prompt["id"]
    assert entry["output"] == "[mock completion] Hello Ada!"


@pytest.mark.parametrize("model", ["gpt-5-mini", "of-no-table"])
async def test_the_answer_has_the_cost_that_the_run_log_has(
    platform: RunningPlatform, model: str
) -> None:
    async with fake_vendor(Answer.of_json({**COMPLETION, "model": model})) as vendor:
        answer = await ask(
            platform, content="Hi", provider="openai", model=model, base_url=vendor.url
        )
    assert answer.status_code == 200, answer.text
    entry = await logged(platform, answer)
    assert answer.json()["cost_usd"] == entry["cost_usd"]
    assert (entry["cost_usd"] is None) == (model == "of-no-table")


async def test_a_chat_is_asked_as_a_chat(platform: RunningPlatform) -> None:
    prompt = await platform.create(
        messages=[
            {"role": "system", "content": "You serve {{shop}}."},
            {"role": "user", "content": "{{question}}"},
        ],
        config={"temperature": 0.5, "theme": "dark", "response_format": {"type": "object"}},
    )
    async with fake_vendor(Answer.of_json(COMPLETION)) as vendor:
        answer = await ask(
            platform,
            id=prompt["id"],
            variables={"shop": "Books", "question": "Open?"},
            provider="openai-compatible",
            model="tiny",
            base_url=vendor.url,
            parameters={"max_tokens": 9},
        )
        asked = vendor.seen.json
    assert answer.status_code == 200, answer.text
    assert answer.json()["rendered"] == "You serve Books.\n\nOpen?"
    assert asked["messages"] == [
        {"role": "system", "content": "You serve Books."},
        {"role": "user", "content": "Open?"},
    ]
    # The parameters of the prompt and of the request, but nothing that is no model's business.
    assert (asked["temperature"], asked["max_tokens"]) == (0.5, 9)
    assert "theme" not in asked
    assert answer.json()["usage"] == {
        "prompt_tokens": 7,
        "output_tokens": 2,
        "cached_tokens": 0,
        "estimated": False,
    }


async def test_a_version_is_asked_as_it_was_published(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="first")
    await platform.publish(prompt["id"])
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "second"})
    draft = await ask(platform, id=prompt["id"])
    first = await ask(platform, id=prompt["id"], version="v1")
    edited = await ask(platform, id=prompt["id"], version="v1", content="third")
    assert [answer.json()["rendered"] for answer in (draft, first, edited)] == [
        "second",
        "first",
        "third",
    ]
    versions = []
    for answer in (draft, first, edited):
        logged = await detail(platform, answer.json()["run_id"])
        versions.append(logged["prompt"])
    reference = {"key": prompt["key"], "env": prompt["env"]}
    assert versions == [reference | {"version": label} for label in ("draft", "v1", "draft")]
    missing = await ask(platform, id=prompt["id"], version="v9")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "content: is empty"),
        ({"content": ""}, "content: is empty"),
        ({"content": "x", "provider": "watson"}, "'watson' is unknown"),
        ({"content": "x", "variables": [1]}, "variables: must be an object"),
        ({"content": "x", "messages": [{"role": "boss", "content": "y"}]}, "messages.0.role"),
        ({"content": "{{a}}" * 10_000, "variables": {"a": "x" * 1_000}}, "longer than"),
        ({"content": "x", "base_url": "http://169.254.169.254", "provider": "openai"}, "169.254"),
        ({"content": "x", "base_url": "http://example.org", "provider": "openai"}, "example.org"),
    ],
)
async def test_what_can_not_be_asked_is_a_400(
    platform: RunningPlatform, body: dict[str, Any], part: str
) -> None:
    answer = await ask(platform, **body)
    assert answer.status_code == 400, answer.text
    assert part in answer.json()["error"]


async def test_a_provider_that_fails_is_a_502_with_what_was_asked(
    platform: RunningPlatform,
) -> None:
    answer = await ask(platform, content="Hello", model="mock-fail-rate-limited")
    assert answer.status_code == 502
    body = answer.json()
    assert body["error"].startswith("provider mock: ")
    assert body["rendered"] == "Hello"
    assert (body["reason"], body["retry_after"]) == ("rate_limited", 1.0)
    assert answer.headers["retry-after"] == "1"
    entry = await logged(platform, answer)
    assert (entry["status"], entry["error"]) == ("error", body["error"])


async def test_a_fallback_answers_for_a_provider_that_fails(platform: RunningPlatform) -> None:
    answer = await ask(
        platform,
        content="Hello",
        model="mock-fail-overloaded",
        fallbacks=[{"provider": "mock", "model": "mock-echo"}],
    )
    assert answer.json()["result"] == {"provider": "mock", "model": "mock-echo", "output": "Hello"}


async def test_the_key_of_a_request_goes_to_its_provider_and_nowhere_else(
    platform: RunningPlatform,
) -> None:
    refusal = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid"}}
    async with fake_vendor(Answer.of_json(refusal, 401), Answer.of_json(COMPLETION)) as vendor:
        body = {"content": "Hello", "provider": "openai-compatible", "model": "tiny"}
        refused = await ask(platform, **body, api_key=KEY, base_url=vendor.url)
        answered = await ask(platform, **body, api_key=KEY, base_url=vendor.url)
    assert refused.status_code == 502
    assert refused.json()["reason"] == "authentication_failed"
    assert [request.headers["authorization"] for request in vendor.requests] == [
        f"Bearer {KEY}"
    ] * 2
    for answer in (refused, answered):
        assert KEY not in answer.text
        assert KEY not in str(await logged(platform, answer))


async def test_a_stored_connection_is_a_provider(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    async with fake_vendor(Answer.of_json(COMPLETION)) as vendor:
        name = new_key()
        sent(
            await platform.http.post(
                "/api/providers",
                json={
                    "name": name,
                    "kind": "openai-compatible",
                    "base_url": vendor.url,
                    "api_key": KEY,
                    "model": "tiny",
                    "workspace": workspace,
                },
            )
        )
        answer = await ask(platform, content="Hello", provider=name, workspace=workspace)
        elsewhere = await ask(platform, content="Hello", provider=name)
        names = sent(await platform.http.get("/api/playground/providers"))
    assert answer.json()["result"]["provider"] == name
    assert vendor.seen.headers["authorization"] == f"Bearer {KEY}"
    assert vendor.seen.json["model"] == "tiny"
    assert (await logged(platform, answer))["cost_usd"] is None
    assert elsewhere.status_code == 400
    assert tuple(names[: len(PROVIDER_NAMES)]) == PROVIDER_NAMES
    assert names[:5] == ["mock", "openai", "claude", "ollama", "gemini"]
    assert name in names


async def test_a_call_by_a_connection_costs_what_its_kind_costs(platform: RunningPlatform) -> None:
    name = (await new_connection(platform))["name"]
    answer = await ask(platform, content="Hello", provider=name)
    assert (await logged(platform, answer))["cost_usd"] == 0
