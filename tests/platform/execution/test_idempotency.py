"""Requests that are sent again with the same `Idempotency-Key`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text, update

from harness.agents import save_agent
from harness.detached_runs import STEPS, stored
from harness.events import events_of
from harness.fake_engine import FakeEngine, fake_engine
from harness.people import join, new_api_key, new_session, new_user, new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.runs import close_run, detail
from harness.workflows import running, save_workflow
from promptops_platform.clock import FakeClock
from promptops_platform.execution import idempotency
from promptops_platform.execution.following import crashed
from promptops_platform.execution.tables import IdempotencyKeyRow
from promptops_platform.settings import Settings

__all__ = ["running"]

# What a run of STEPS returns.
OUTPUT = "one two three "


async def send(
    platform: RunningPlatform,
    workflow: dict[str, Any],
    key: str,
    http: httpx.AsyncClient | None = None,
    **body: Any,
) -> httpx.Response:
    url, headers = f"/api/workflows/{workflow['id']}/run", {"idempotency-key": key}
    return await (http or platform.http).post(url, json=body, headers=headers, timeout=100)


async def waits(platform: RunningPlatform, run_id: str) -> None:
    """Return once a request waits for the run."""
    await until(lambda: run_id in platform.platform.runlog.news._watches)


@pytest.mark.parametrize("body", [{}, {"wait": True, "variables": {"who": "Ada"}}])
async def test_a_repeat_has_the_same_answer_and_starts_nothing(
    controlled: RunningPlatform, fake: FakeEngine, body: dict[str, Any]
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    first = await send(controlled, workflow, key, **body)
    assert (first.status_code, first.json()["output"]) == (200, OUTPUT)
    for _ in range(2):
        repeat = await send(controlled, workflow, key, **body)
        assert (repeat.status_code, repeat.json()) == (200, first.json())
    assert len(fake.requests) == 1
    other = await send(controlled, workflow, new_key(), **body)
    assert other.json()["run_id"] != first.json()["run_id"]


async def test_a_failure_is_repeated_too(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    fake.failing = {2}
    first = await send(controlled, workflow, key)
    fake.failing = set()
    repeat = await send(controlled, workflow, key)
    assert first.status_code == repeat.status_code == 502
    assert first.json() == repeat.json()
    assert len(fake.requests) == 1


async def test_a_run_that_nobody_waits_for_is_started_once(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    first = await send(controlled, workflow, key, wait=False, topc="tides")
    assert first.status_code == 202
    assert first.json()["warnings"] == ["field 'topc' is unknown and has no effect"]
    for _ in range(2):
        repeat = await send(controlled, workflow, key, wait=False, topc="tides")
        assert (repeat.status_code, repeat.json()) == (202, first.json())
        assert repeat.headers["location"] == first.headers["location"]
        await until(lambda: len(fake.requests) == 1)


async def test_other_content_with_the_key_is_refused(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    run_id = (await send(controlled, workflow, key)).json()["run_id"]
    another = await save_workflow(controlled, STEPS)
    answers = [
        await send(controlled, workflow, key, variables={"who": "Ada"}),
        await send(controlled, workflow, key, wait=False),
        await send(controlled, another, key),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert run_id in answer.json()["error"]
        assert key not in answer.text
    assert len(fake.requests) == 1


async def test_each_caller_has_keys_of_its_own(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    user = await new_user(controlled, "editor")
    run_ids = set()
    for token in (
        await new_session(controlled, user),
        await new_api_key(controlled, role="editor"),
        await new_api_key(controlled, role="editor"),
    ):
        async with controlled.client(token) as http:
            answers = [await send(controlled, workflow, key, http) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        run_ids.add(answers[0].json()["run_id"])
    assert len(run_ids) == len(fake.requests) == 3


async def test_a_repeat_waits_for_the_first_one(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    fake.hold = lambda _run, place: place == 2
    first = asyncio.create_task(send(controlled, workflow, key))
    await until(lambda: bool(fake.held))
    repeat = asyncio.create_task(send(controlled, workflow, key))
    await waits(controlled, fake.requests[0].run_id)
    fake.release()
    assert (await first).json() == (await repeat).json()
    assert len(fake.requests) == 1


async def test_a_stop_ends_the_wait(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    fake.hold = lambda _run, place: place == 2
    first = asyncio.create_task(send(controlled, workflow, key))
    await until(lambda: bool(fake.held))
    repeat = asyncio.create_task(send(controlled, workflow, key))
    await waits(controlled, fake.requests[0].run_id)
    controlled.platform.stop_signal.set()
    assert (await repeat).status_code == 503
    fake.release()
    assert (await first).status_code == 200


@pytest_asyncio.fixture
async def replicas(
    postgres: Postgres, data_folder: Path
) -> AsyncIterator[tuple[RunningPlatform, RunningPlatform, FakeEngine]]:
    """Two replicas that share an engine."""
    settings = await new_settings("postgresql", postgres, data_folder)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(fake_engine(settings.engine_socket))
        one = await stack.enter_async_context(running_platform(settings))
        other = await stack.enter_async_context(running_platform(settings))
        for replica in (one, other):
            await until(lambda replica=replica: len(replica.platform.changes.replicas.others) == 1)
        yield one, other, engine


Replicas = tuple[RunningPlatform, RunningPlatform, FakeEngine]


async def test_another_replica_waits_as_well(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "POLL_SECONDS", 3600.0)
    one, other, fake = replicas
    workflow, key = await save_workflow(one, STEPS), new_key()
    fake.hold = lambda _run, place: place == 2
    first = asyncio.create_task(send(one, workflow, key))
    await until(lambda: bool(fake.held))
    repeat = asyncio.create_task(send(other, workflow, key))
    await waits(other, fake.requests[0].run_id)
    fake.release()
    assert (await first).json() == (await repeat).json()


@pytest.mark.parametrize("body", [{}, {"wait": False}, {"stream": True}])
async def test_two_replicas_at_once_start_one_run(replicas: Replicas, body: dict[str, Any]) -> None:
    one, other, _ = replicas
    workflow = await save_workflow(one, STEPS)
    for _ in range(5):
        key = new_key()
        both = (send(replica, workflow, key, **body) for replica in (one, other, one))
        answers = await asyncio.gather(*both)
        assert {answer.status_code for answer in answers} == {202 if "wait" in body else 200}
        # Those under way first: what ends meanwhile is in the other list.
        under_way = {"key": workflow["key"], "status": "running"}
        listed = sent(await one.http.get("/api/runs", params=under_way))
        listed += sent(await one.http.get("/api/runs", params={"key": workflow["key"]}))
        run_ids = {run["id"] for run in listed}
        assert {answer.text.split('"run_id":"')[1].split('"')[0] for answer in answers} <= run_ids
    assert len(run_ids) == 5


@pytest.fixture
async def settings(
    request: pytest.FixtureRequest,
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
) -> Settings:
    """As those of the folder, with the changes that a test wants."""
    changes = getattr(request, "param", {})
    return await new_settings(database_kind, postgres, data_folder, **changes)


@pytest.mark.parametrize("settings", [{"run_texts": "none"}], indirect=True)
async def test_without_texts_a_repeat_names_the_run(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    fake.hold = lambda _run, place: place == 2
    first = asyncio.create_task(send(controlled, workflow, key))
    await until(lambda: bool(fake.held))
    for _ in range(2):
        repeat = await send(controlled, workflow, key)
        assert repeat.status_code == 409
        assert fake.requests[0].run_id in repeat.json()["error"]
        fake.release()
        assert (await first).json()["output"] == OUTPUT
    assert all(row.sealed is None for row in await stored(controlled, "idempotency_keys"))
    # The answer to the start of a run has no texts.
    key = new_key()
    started = [(await send(controlled, workflow, key, wait=False)).json() for _ in range(2)]
    assert started[0] == started[1]


async def test_what_is_kept_is_sealed(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    body = {"variables": {"who": "a secret word"}, "api_key": "sk-of-the-caller"}
    first = await send(controlled, workflow, key, **body)
    (row,) = await stored(controlled, "idempotency_keys")
    for plain in ("one two", "secret word", "sk-of-the-caller", key):
        assert plain not in str(row)
    platform = controlled.platform
    async with platform.database.write() as transaction:
        assert await platform.execution.idempotent.rotate(transaction) == 1
    (renewed,) = await stored(controlled, "idempotency_keys")
    assert renewed.sealed != row.sealed
    assert (await send(controlled, workflow, key, **body)).json() == first.json()
    async with platform.database.write() as transaction:
        await transaction.session.execute(update(IdempotencyKeyRow).values(sealed="of elsewhere"))
    assert (await send(controlled, workflow, key, **body)).status_code == 409
    async with platform.database.write() as transaction:
        assert await platform.execution.idempotent.rotate(transaction) == 0
    assert (await send(controlled, workflow, key, **body)).status_code == 409
    assert len(fake.requests) == 1


async def test_a_run_that_crashed_is_named(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    fake.hold = lambda _run, place: place == 2
    first = asyncio.create_task(send(controlled, workflow, key))
    await until(lambda: bool(fake.held))
    repeat = asyncio.create_task(send(controlled, workflow, key))
    run_id = fake.requests[0].run_id
    await waits(controlled, run_id)
    # As the next start of a platform ends what was under way.
    await close_run(controlled, run_id, crashed("the platform ended"))
    answer = await repeat
    assert answer.status_code == 409
    assert f"GET /api/runs/{run_id}" in answer.json()["error"]
    fake.release()
    await first
    assert (await detail(controlled, run_id))["state"] == "crashed"


@pytest.mark.parametrize(
    "key", ["", "a b", "x" * 256, "ключ".encode().decode("latin-1"), "tab\tbed"]
)
async def test_a_key_that_is_none_is_refused(
    controlled: RunningPlatform, fake: FakeEngine, key: str
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    headers = {b"idempotency-key": key.encode("latin-1")}
    url = f"/api/workflows/{workflow['id']}/run"
    answer = await controlled.http.post(url, json={}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Idempotency-Key: must be 1 to 255")
    twice = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = await controlled.http.post(url, json={}, headers=twice)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Idempotency-Key: was sent 2 times; send it once"
    assert not fake.requests


async def test_what_starts_no_run_uses_up_no_key(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow, key = await save_workflow(controlled, STEPS), new_key()
    assert (await send(controlled, workflow, key, variables="none")).status_code == 400
    assert (await send(controlled, {"id": "missing"}, key)).status_code == 404
    assert (await send(controlled, workflow, key)).status_code == 200
    assert len(fake.requests) == 1


async def test_a_repeat_needs_the_right_to_run(controlled: RunningPlatform) -> None:
    user = await new_user(controlled, "viewer")
    workspace = await new_workspace(controlled, "restricted", editor=user)
    body = {"key": new_key(), "steps": STEPS, "workspace_id": workspace}
    workflow, key = sent(await controlled.http.post("/api/workflows", json=body)), new_key()
    async with controlled.client(await new_session(controlled, user)) as http:
        assert (await send(controlled, workflow, key, http)).status_code == 200
        assert (await send(controlled, workflow, key, http)).status_code == 200
        members = f"/api/workspaces/{workspace}/members/{user['id']}"
        sent(await controlled.http.delete(members))
        assert (await send(controlled, workflow, key, http)).status_code in (403, 404)
        await join(controlled, workspace, user, "editor")
        assert (await send(controlled, workflow, key, http)).status_code == 200


async def test_a_key_is_kept_for_a_day(settings: Settings, fake: FakeEngine) -> None:
    clock = FakeClock()
    async with running_platform(settings, clock) as platform:
        workflow, key = await save_workflow(platform, STEPS), new_key()
        first = (await send(platform, workflow, key)).json()
        clock.advance(timedelta(hours=23, minutes=59))
        assert await platform.platform.execution.retention.prune_keys() == 0
        assert (await send(platform, workflow, key)).json() == first
        clock.advance(timedelta(minutes=2))
        # Also where nobody has deleted it yet.
        second = (await send(platform, workflow, key, variables={"who": "Ada"})).json()
        assert second["run_id"] != first["run_id"]
        clock.advance(timedelta(hours=24, minutes=1))
        assert await platform.platform.execution.retention.prune_keys() == 1
        assert await stored(platform, "idempotency_keys") == []
    assert len(fake.requests) == 2


async def test_keys_go_with_their_workspace(controlled: RunningPlatform) -> None:
    workspace = await new_workspace(controlled)
    body = {"key": new_key(), "steps": STEPS, "workspace_id": workspace}
    workflow = sent(await controlled.http.post("/api/workflows", json=body))
    assert (await send(controlled, workflow, new_key())).status_code == 200
    await controlled.http.delete(f"/api/workflows/{workflow['id']}")
    sent(await controlled.http.delete(f"/api/workspaces/{workspace}"))
    assert await stored(controlled, "idempotency_keys") == []


async def test_an_agent_is_run_once(running: RunningPlatform) -> None:
    """Its whole answer, also where the first one was streamed."""
    agent = await save_agent(running, prompt="Hello {{who}}")
    url, key = f"/api/agents/{agent['id']}/run", new_key()
    headers, body = {"idempotency-key": key}, {"variables": {"who": "Ada"}, "stream": True}
    async with running.http.stream("POST", url, json=body, headers=headers) as answer:
        events = [event async for event in events_of(answer)]
    assert (events[0].name, events[-1].name) == ("start", "result")
    repeat = await running.http.post(url, json=body, headers=headers)
    assert repeat.headers["content-type"] == "application/json"
    assert repeat.json() == events[-1].data
    key = new_key()
    body = {"variables": {"who": "Ada"}}
    whole = [
        await running.http.post(url, json=body, headers={"idempotency-key": key}) for _ in range(2)
    ]
    assert whole[0].text == whole[1].text
    async with running.platform.database.read() as transaction:
        count = await transaction.session.scalar(text("SELECT count(*) FROM idempotency_keys"))
    assert count == 2
