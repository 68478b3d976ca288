"""The playground's answers in events."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.events import events_of
from harness.people import sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
    until_found,
)
from harness.postgres import Postgres
from harness.vendors import CUT, Answer, fake_vendor
from promptops_flows.processes.waiting import end_tasks
from promptops_platform.http.event_stream import HEARTBEAT, begun, event_stream
from promptops_platform.playground.asking import HUNG_UP, STOPPED

CHUNK: dict[str, Any] = {"id": "c-1", "object": "chat.completion.chunk", "model": "tiny-1"}


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {**CHUNK, "choices": [choice]}


STREAM = Answer.of_events(
    [
        chunk("Hel"),
        chunk("lo"),
        chunk("", "stop"),
        {**CHUNK, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
    ]
)


@pytest_asyncio.fixture
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    async with running_platform(await new_settings(database_kind, postgres, data)) as platform:
        yield platform
    shutil.rmtree(data)


@asynccontextmanager
async def streamed(
    platform: RunningPlatform, base_url: str = "", **body: Any
) -> AsyncIterator[httpx.Response]:
    asked = {"content": "Hi", "stream": True, **body}
    if base_url:
        asked |= {"provider": "openai-compatible", "model": "tiny", "base_url": base_url}
    async with platform.http.stream("POST", "/api/playground/run", json=asked) as answer:
        yield answer


async def test_the_first_piece_does_not_wait_for_the_second(platform: RunningPlatform) -> None:
    answer, hold = STREAM.held_after(1)
    async with fake_vendor(answer) as vendor, streamed(platform, vendor.url) as got:
        assert got.headers["content-type"].startswith("text/event-stream")
        events = events_of(got)
        first = await anext(events)
        assert hold.reached.is_set()
        hold.release()
        others = [event async for event in events]
    assert first == ("delta", {"text": "Hel"})
    assert [event.name for event in others] == ["delta", "usage", "result"]
    assert others[1].data["output_tokens"] == 2
    assert others[2].data["result"] == {
        "provider": "openai-compatible",
        "model": "tiny-1",
        "output": "Hello",
    }
    entry = sent(await platform.http.get(f"/api/runs/{others[2].data['run_id']}"))
    assert (entry["status"], entry["output"]) == ("ok", "Hello")
    assert entry["first_token_ms"] is not None


async def test_what_fails_before_anything_was_shown_is_a_status(platform: RunningPlatform) -> None:
    """Also where a piece came, but waits because a key may begin so."""
    whole = Answer.of_events([chunk("sk-of-")])
    cut = Answer([*whole.parts[:1], CUT], headers=whole.headers)
    async with (
        fake_vendor(cut) as vendor,
        streamed(platform, vendor.url, api_key="sk-of-this-run-only") as got,
    ):
        body = json.loads(await got.aread())
    assert (got.status_code, body["reason"]) == (502, "stream_cut_off")


async def test_a_key_that_the_provider_repeats_is_not_shown(platform: RunningPlatform) -> None:
    key = "sk-of-this-run-only"
    pieces = [chunk("It is sk-of-"), chunk("this-run-only, or sk-o"), chunk("", "stop")]
    async with (
        fake_vendor(Answer.of_events(pieces)) as vendor,
        streamed(platform, vendor.url, api_key=key, variables={"a": key}) as got,
    ):
        events = [event async for event in events_of(got)]
    text = "".join(event.data["text"] for event in events if event.name == "delta")
    assert text == events[-1].data["result"]["output"] == "It is [redacted], or sk-o"
    logged = await platform.http.get(f"/api/runs/{events[-1].data['run_id']}")
    assert key not in logged.text


async def test_the_mock_streams(platform: RunningPlatform) -> None:
    async with streamed(platform, content="a longer text to be streamed") as got:
        events = [event async for event in events_of(got)]
    text = "".join(event.data["text"] for event in events if event.name == "delta")
    assert text == events[-1].data["result"]["output"]
    assert len(events) > 4


async def test_what_fails_before_the_first_piece_is_the_status(platform: RunningPlatform) -> None:
    async with streamed(platform, model="mock-fail-overloaded") as got:
        await got.aread()
    assert got.status_code == 502
    assert (got.json()["reason"], got.json()["rendered"]) == ("overloaded", "Hi")


async def test_what_breaks_off_ends_with_an_error(platform: RunningPlatform) -> None:
    cut = Answer([*STREAM.parts[:1], CUT], headers=STREAM.headers)
    async with fake_vendor(cut) as vendor, streamed(platform, vendor.url) as got:
        events = [event async for event in events_of(got)]
    assert [event.name for event in events] == ["delta", "error"]
    assert events[1].data["reason"] == "stream_cut_off"
    entry = sent(await platform.http.get(f"/api/runs/{events[1].data['run_id']}"))
    # What had come is kept.
    assert (entry["status"], entry["output"]) == ("error", "Hel")


async def only_run_of(platform: RunningPlatform, key: str) -> dict[str, Any]:
    """The one run of the prompt, once it is logged."""

    async def runs() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = sent(await platform.http.get("/api/runs", params={"key": key}))
        return rows

    (entry,) = await until_found(runs)
    return entry


async def test_who_hangs_up_ends_the_call_and_the_run_says_so(platform: RunningPlatform) -> None:
    answer, _never = STREAM.held_after(1)
    key = new_key()
    prompt = await platform.create(key, content="Hi")
    async with fake_vendor(answer) as vendor:
        async with streamed(platform, vendor.url, id=prompt["id"]) as got:
            await anext(events_of(got))
            await got.aclose()
        await vendor.hung_up.wait()
        entry = await only_run_of(platform, key)
    assert (entry["status"], entry["error"]) == ("error", HUNG_UP)


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_before_the_answer_ends_the_call(
    platform: RunningPlatform, stream: bool
) -> None:
    """Whole, and in events of which none has come."""
    answer, hold = STREAM.held_after(0)
    prompt = await platform.create(new_key(), content="Hi")
    async with fake_vendor(answer) as vendor:
        body = {"id": prompt["id"], "stream": stream, "base_url": vendor.url}
        body |= {"provider": "openai-compatible", "model": "tiny"}
        asking = asyncio.create_task(platform.http.post("/api/playground/run", json=body))
        await hold.reached.wait()
        await end_tasks(asking)
        await vendor.hung_up.wait()
        entry = await only_run_of(platform, prompt["key"])
    assert (entry["status"], entry["error"]) == ("error", HUNG_UP)


async def test_a_model_that_thinks_for_long_is_waited_for_with_heartbeats(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(begun.__kwdefaults__, "seconds", 0.0)
    monkeypatch.setitem(event_stream.__kwdefaults__, "heartbeat", 0.01)
    answer, hold = STREAM.held_after(0)
    async with fake_vendor(answer) as vendor, streamed(platform, vendor.url) as got:
        received = b""
        async for piece in got.aiter_raw():
            received += piece
            if received.startswith(HEARTBEAT):
                hold.release()
    assert b"event: result\n" in received


async def test_a_stop_does_not_wait_for_the_first_piece(
    own: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(begun.__kwdefaults__, "seconds", 3600.0)
    answer, hold = STREAM.held_after(0)
    prompt = await own.create(new_key(), content="Hi")
    async with fake_vendor(answer) as vendor:
        body = {"id": prompt["id"], "stream": True, "base_url": vendor.url}
        body |= {"provider": "openai-compatible", "model": "tiny"}
        asking = asyncio.create_task(own.http.post("/api/playground/run", json=body))
        await hold.reached.wait()
        own.platform.stop_signal.set()
        assert (await asking).text.startswith("event: stopping")
        await vendor.hung_up.wait()


async def test_a_stop_ends_the_stream_and_its_call(own: RunningPlatform) -> None:
    answer, _never = STREAM.held_after(1)
    prompt = await own.create(new_key(), content="Hi")
    async with fake_vendor(answer) as vendor, streamed(own, vendor.url, id=prompt["id"]) as got:
        events = events_of(got)
        await anext(events)
        own.platform.stop_signal.set()
        assert [event.name async for event in events] == ["stopping"]
        await vendor.hung_up.wait()
        entry = await only_run_of(own, prompt["key"])
    assert (entry["status"], entry["error"]) == ("error", STOPPED)
