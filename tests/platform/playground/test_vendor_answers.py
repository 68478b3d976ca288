"""What vendors may answer, as callers and the run log have it: nothing of it is a 500."""

import json
import random
from typing import Any

import httpx
import pytest

from harness.connections import new_connection
from harness.people import new_workspace, sent
from harness.platform import RunningPlatform
from harness.vendors import Answer, FakeVendor, fake_vendor, openai
from harness.vendors.mutations import mutated

KEY = "sk-of-this-run-only"
HALF = "\ud83d"


async def ask(
    platform: RunningPlatform, vendor: FakeVendor, answer: Answer, **body: Any
) -> httpx.Response:
    vendor.answers(answer)
    defaults = {"content": "Hi", "provider": "openai-compatible", "model": "m", "api_key": KEY}
    return await platform.http.post(
        "/api/playground/run", json={**defaults, "base_url": vendor.url, **body}
    )


async def logged(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    entry: dict[str, Any] = sent(await platform.http.get(f"/api/runs/{run_id}"))
    return entry


async def test_half_a_character_is_no_fault(platform: RunningPlatform) -> None:
    body = openai.chat(f"Hi {HALF}") | {"model": f"m{HALF}\x00 of {KEY}"}
    async with fake_vendor() as vendor:
        answer = await ask(platform, vendor, Answer.of_json(body))
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    shown = ("m\ufffd\ufffd of [redacted]", "Hi \ufffd")
    assert (result["model"], result["output"]) == shown
    entry = await logged(platform, answer.json()["run_id"])
    assert (entry["model"], entry["output"]) == shown


async def test_halves_in_two_pieces_are_one_character(platform: RunningPlatform) -> None:
    events = [openai.chat_chunk({"content": piece}) for piece in (f"a{HALF}", "\ude00b")]
    answer = Answer.of_events([*events, openai.chat_chunk({}, "stop")])
    async with fake_vendor() as vendor:
        got = await ask(platform, vendor, answer, stream=True)
    events_sent = [
        json.loads(line.removeprefix("data: "))
        for line in got.text.splitlines()
        if line.startswith("data: ")
    ]
    pieces = [event["text"] for event in events_sent if "text" in event]
    assert pieces == ["a", "😀b"]
    assert events_sent[-1]["result"]["output"] == "a😀b"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_that_was_paid_for_is_logged_with_its_usage(
    platform: RunningPlatform, streamed: bool
) -> None:
    last = openai.chat_chunk({}, "content_filter")
    stream = Answer.of_events([openai.chat_chunk({"content": "So "}), last, openai.chat_usage()])
    whole = Answer.of_json(openai.chat("", finish="content_filter"))
    workspace = await new_workspace(platform)
    async with fake_vendor() as vendor:
        answer = await ask(
            platform,
            vendor,
            stream if streamed else whole,
            workspace=workspace,
            stream=streamed,
        )
    assert "declined" in answer.text
    (run,) = (await platform.http.get(f"/api/runs?workspace={workspace}")).json()["data"]
    assert (run["status"], run["prompt_tokens"], run["output_tokens"]) == ("error", 19, 10)
    assert (run["cached_tokens"], run["usage_estimated"]) == (8, False)
    stats = (await platform.http.get(f"/api/runs/stats?workspace={workspace}")).json()
    assert (stats["error"], stats["prompt_tokens"]) == (1, 19)


async def test_usage_counts_for_the_one_that_failed(platform: RunningPlatform) -> None:
    """Of a chain, that is the last one."""
    async with fake_vendor() as vendor:
        connection = await new_connection(platform, kind="openai-compatible", base_url=vendor.url)
        answer = await ask(
            platform,
            vendor,
            Answer.of_json(openai.chat("", finish="sensitive")),
            provider="mock",
            model="mock-fail-overloaded",
            api_key=None,
            base_url=None,
            fallbacks=[{"provider": connection["name"], "model": "costly"}],
        )
    assert answer.json()["reason"] == "refused"
    entry = await logged(platform, answer.json()["run_id"])
    called = (entry["provider"], entry["model"], entry["prompt_tokens"])
    assert called == (connection["name"], "costly", 19)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_a_chain_spent_in_vain_is_logged(
    platform: RunningPlatform, streamed: bool
) -> None:
    finish = openai.chat_chunk({}, "of_tomorrow")
    bad = Answer.of_json(openai.chat("part", finish="of_tomorrow"))
    async with fake_vendor() as vendor:
        answer = await ask(
            platform,
            vendor,
            Answer.of_events([finish, openai.chat_usage()]) if streamed else bad,
            fallbacks=[{"provider": "mock", "model": "mock-echo"}],
            stream=streamed,
        )
    assert answer.status_code == 200, answer.text
    result = answer.json() if not streamed else json.loads(answer.text.split("data: ")[-1])
    assert (result["result"]["output"], result["usage"]["prompt_tokens"]) == ("Hi", 20)
    entry = await logged(platform, result["run_id"])
    called = (entry["provider"], entry["prompt_tokens"], entry["output_tokens"])
    assert called == ("mock", 20, 11)
    # What an unknown model costs is not known.
    assert entry["cost_usd"] is None


async def test_an_empty_answer_is_marked(platform: RunningPlatform) -> None:
    async with fake_vendor() as vendor:
        answer = await ask(platform, vendor, Answer.of_json(openai.chat("")))
    assert answer.json()["stop_reason"] == "empty"
    assert (await logged(platform, answer.json()["run_id"]))["stop_reason"] == "empty"


@pytest.mark.parametrize("streamed", [False, True])
async def test_every_call_is_answered_and_logged(platform: RunningPlatform, streamed: bool) -> None:
    """Whatever comes: mutations of what vendors send."""
    workspace, chance = await new_workspace(platform), random.Random(11)
    recorded = [openai.chat(), openai.chat(None, tool_calls=[openai.chat_call("a", "b", "{}")])]
    count = 40
    async with fake_vendor() as vendor:
        for number in range(count):
            body = mutated(recorded[number % 2], chance)
            answer = Answer.of_json(body)
            if streamed:
                answer = Answer.of_events(mutated(openai.CHAT_STREAM, chance))
            got = await ask(platform, vendor, answer, workspace=workspace, stream=streamed)
            assert got.status_code in (200, 502), (got.text, body)
    stats = (await platform.http.get(f"/api/runs/stats?workspace={workspace}")).json()
    assert stats["total"] == count
    assert 0 <= stats["prompt_tokens"] <= count * 10_000_000
