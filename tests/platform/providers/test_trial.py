"""Testing a connection."""

import asyncio
from typing import Any

import pytest

from harness.connections import SECRET, URL, new_connection
from harness.people import sent
from harness.platform import RunningPlatform
from harness.processes import WAIT_SECONDS
from harness.vendors import Answer, fake_vendor
from promptops_platform.providers.trial import try_out
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.transport.address_policy import AddressPolicy

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "served-model",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ok"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}


async def trial_of(platform: RunningPlatform, connection: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = sent(await platform.http.post(f"{URL}/{connection['id']}/test"))
    return result


async def shown(platform: RunningPlatform, connection: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = sent(await platform.http.get(f"{URL}/{connection['id']}"))
    return body


async def test_a_test_sends_the_key_to_the_stored_address(platform: RunningPlatform) -> None:
    async with fake_vendor(Answer.of_json(CHAT)) as vendor:
        made = await new_connection(
            platform, kind="openai-compatible", base_url=vendor.url, model="wanted-model"
        )
        result = await trial_of(platform, made)
    assert result.pop("latency_ms") >= 0
    assert result == {"ok": True, "model": "served-model", "error": "", "code": ""}
    assert vendor.seen.headers["authorization"] == f"Bearer {SECRET}"
    assert vendor.seen.json["model"] == "wanted-model"
    after = await shown(platform, made)
    assert after["last_test_ok"] is True
    assert after["last_tested_at"] is not None
    assert after["updated_at"] == made["updated_at"]


async def test_that_the_provider_fails_is_a_result(platform: RunningPlatform) -> None:
    refusal = {
        "error": {"message": f"Incorrect API key provided: {SECRET}", "code": "invalid_api_key"}
    }
    async with fake_vendor(Answer.of_json(refusal, 401)) as vendor:
        made = await new_connection(platform, kind="openai-compatible", base_url=vendor.url)
        result = await trial_of(platform, made)
    assert (result["ok"], result["code"]) == (False, "authentication_failed")
    assert result["error"].startswith(f"provider {made['name']}: ")
    assert SECRET not in result["error"]
    assert (await shown(platform, made))["last_test_ok"] is False


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "mock-fail-rate-limited"}, "rate_limited"),
        ({"kind": "openai", "api_key": None}, "authentication_failed"),
        ({"kind": "openai", "base_url": "http://127.0.0.1:1"}, "unreachable"),
    ],
)
async def test_the_code_names_what_is_wrong(
    platform: RunningPlatform, fields: dict[str, Any], code: str
) -> None:
    result = await trial_of(platform, await new_connection(platform, **fields))
    assert (result["ok"], result["code"]) == (False, code)
    assert result["error"]


async def test_a_provider_that_does_not_answer_is_given_up() -> None:
    answer, hold = Answer.of_json(CHAT).held_after(0)
    async with (
        fake_vendor(answer) as vendor,
        Gateway(AddressPolicy(allow_loopback=True)) as gateway,
    ):
        target = Target("slow", "m", "openai-compatible", Credentials("k", vendor.url))
        result = await try_out(gateway, target, seconds=0.2)
        hold.release()
    assert (result.ok, result.code) == (False, "timeout")
    assert result.error == "provider slow: no answer within 0.2 seconds"


async def test_a_change_meanwhile_is_not_taken_for_tested(platform: RunningPlatform) -> None:
    answer, hold = Answer.of_json(CHAT).held_after(0)
    async with fake_vendor(answer) as vendor:
        made = await new_connection(platform, kind="openai-compatible", base_url=vendor.url)
        testing = asyncio.create_task(trial_of(platform, made))
        await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
        sent(await platform.http.put(f"{URL}/{made['id']}", json={"api_key": "sk-another"}))
        hold.release()
        assert (await testing)["ok"] is True
    assert (await shown(platform, made))["last_tested_at"] is None


async def test_an_edit_of_key_or_address_ends_what_was_tested(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    await trial_of(platform, made)
    url = f"{URL}/{made['id']}"
    assert sent(await platform.http.put(url, json={"model": "m"}))["last_test_ok"] is True
    assert sent(await platform.http.put(url, json={"api_key": None}))["last_test_ok"] is None
