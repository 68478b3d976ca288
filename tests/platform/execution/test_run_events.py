"""A run as its readers follow it over a socket: live, late, again, and from another replica."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import pytest_asyncio

from harness.events import RunStreamEvent, run_events_of
from harness.people import new_api_key, new_session, new_user, new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.replicas import TwoReplicas, two_replicas
from harness.runs import close_run, detail, new_run, open_run
from promptops_flows.protocol.engine_client import StepDelta, StepFinished, StepStarted
from promptops_platform.execution import run_views
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.run_feed import MOST_CHARACTERS
from promptops_platform.runlog.new_run import NewRun

__all__ = ["two_replicas"]

AT = "2030-01-01T00:00:00+00:00"
SECRET_WORD = "ada@example.org"
MODEL = StepStarted(1, "model", "model", AT)
MODEL_DONE = StepFinished(
    1, "model", "model", "Completed", AT, 5, 1, input="Hi", output=f"Dear {SECRET_WORD}"
)
CALL = StepStarted(2, "tool: mail", "tool", AT, f'{{"to":"{SECRET_WORD}"}}')
CALL_DONE = StepFinished(2, "tool: mail", "tool", "Completed", AT, 5, 1, output=SECRET_WORD)


@asynccontextmanager
async def events(
    platform: RunningPlatform, run: NewRun, last: str | None = None, http: Any = None
) -> AsyncIterator[AsyncIterator[RunStreamEvent]]:
    headers = {} if last is None else {"last-event-id": last}
    client = http or platform.http
    async with client.stream("GET", f"/api/runs/{run.id}/events", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield run_events_of(answer)


@contextmanager
def executed(platform: RunningPlatform, run: NewRun) -> Iterator[RunFollower]:
    """What the engine tells of the run at this platform."""
    with platform.platform.execution.feeds.following(run.id, RunFollower()) as follower:
        yield follower


async def opened(platform: RunningPlatform, **fields: Any) -> NewRun:
    run = new_run(**fields)
    await open_run(platform, run)
    return run


async def log_step(platform: RunningPlatform, run: NewRun, step: StepFinished) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.add_step(transaction, run.id, step)


async def names_of(coming: AsyncIterator[RunStreamEvent]) -> list[str]:
    return [event.name async for event in coming]


@asynccontextmanager
async def own_platform(
    kind: DatabaseKind, postgres: Postgres, **changes: Any
) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    async with running_platform(await new_settings(kind, postgres, data, **changes)) as platform:
        yield platform
    shutil.rmtree(data)


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_views, "POLL_SECONDS", 3600.0)


@pytest.mark.usefixtures("no_poll")
async def test_a_run_is_followed_to_its_end(platform: RunningPlatform) -> None:
    run = await opened(platform)
    async with events(platform, run) as coming:
        first = await anext(coming)
        assert first.name == "run"
        assert first.data == await detail(platform, run.id)
        with executed(platform, run) as engine:
            engine.happened(MODEL)
            begun = await anext(coming)
            assert (begun.name, begun.data["step"]) == ("step_started", 1)
            engine.happened(StepDelta(1, "Dear "))
            assert (await anext(coming))[:2] == ("delta", {"step": 1, "text": "Dear "})
            engine.happened(MODEL_DONE)
            step = await anext(coming)
            engine.happened(CALL)
            assert [(await anext(coming)).name for _ in range(2)] == ["step_started", "tool_call"]
            engine.happened(CALL_DONE)
            result = await anext(coming)
            assert result[:2] == (
                "tool_result",
                {"step": 2, "name": "tool: mail", "output": SECRET_WORD, "error": None},
            )
            assert (await anext(coming)).name == "step"
        for done in (MODEL_DONE, CALL_DONE):
            await log_step(platform, run, done)
        await close_run(platform, run.id)
        ended, end = [event async for event in coming]
    assert (ended.name, ended.data["state"]) == ("state", "completed")
    logged = await detail(platform, run.id)
    assert (end.name, end.data, end.id) == ("end", logged, "end")
    # A step is shown as the log has it.
    assert (step.name, step.data) == ("step", logged["steps"][0])


@pytest.mark.usefixtures("no_poll")
async def test_who_comes_late_sees_the_text_so_far(platform: RunningPlatform) -> None:
    run = await opened(platform)
    await log_step(platform, run, MODEL_DONE)
    with executed(platform, run) as engine:
        for event in (MODEL, StepDelta(1, "x"), MODEL_DONE, StepStarted(2, "again", "model", AT)):
            engine.happened(event)
        for piece in ("Dear ", "Ada"):
            engine.happened(StepDelta(2, piece))
        async with events(platform, run) as coming:
            shown = [await anext(coming) for _ in range(3)]
            # What the log has is not repeated.
            assert [event.name for event in shown] == ["run", "step_started", "delta"]
            assert [step["name"] for step in shown[0].data["steps"]] == ["model"]
            assert shown[2].data == {"step": 2, "text": "Dear Ada"}
            engine.happened(StepDelta(2, "!"))
            assert (await anext(coming)).data == {"step": 2, "text": "!"}
    await close_run(platform, run.id)


@pytest.mark.usefixtures("no_poll")
async def test_a_stream_is_resumed_where_it_broke_off(platform: RunningPlatform) -> None:
    run = await opened(platform)
    with executed(platform, run) as engine:
        engine.happened(MODEL)
        engine.happened(StepDelta(1, "Dear "))
        async with events(platform, run) as coming:
            last = [await anext(coming) for _ in range(3)][-1]
        engine.happened(StepDelta(1, "Ada"))
        async with events(platform, run, last.id) as coming:
            assert (await anext(coming)).name == "state"
            assert (await anext(coming)).data == {"step": 1, "text": "Ada"}
        engine.happened(MODEL_DONE)
    await close_run(platform, run.id)
    async with events(platform, run, last.id) as coming:
        assert await names_of(coming) == ["state", "delta", "step", "end"]


@pytest.mark.usefixtures("no_poll")
async def test_a_run_that_another_replica_takes_over_is_followed_by_the_log(
    platform: RunningPlatform,
) -> None:
    run = await opened(platform)
    with executed(platform, run) as engine:
        engine.happened(MODEL)
        engine.happened(MODEL_DONE)
        async with events(platform, run) as coming:
            last = [await anext(coming) for _ in range(3)][-1]
    await log_step(platform, run, MODEL_DONE)
    async with events(platform, run, last.id) as coming:
        assert (await anext(coming)).name == "state"
        # Nobody adds to the feed any more.
        await log_step(platform, run, CALL_DONE)
        step = await anext(coming)
        assert (step.name, step.data["step"]) == ("step", 2)
        await close_run(platform, run.id)
        assert await names_of(coming) == ["state", "end"]


async def test_what_can_not_be_resumed_begins_with_the_run(platform: RunningPlatform) -> None:
    run = await opened(platform)
    await close_run(platform, run.id)
    for last in ("", "nonsense", "0123456789abcdef-3.0"):
        async with events(platform, run, last) as coming:
            assert await names_of(coming) == ["run", "end"]
    url, seen = f"/api/runs/{run.id}/events", {"last-event-id": "end"}
    assert (await platform.http.get(url, headers=seen)).status_code == 204
    assert (await platform.http.get("/api/runs/none/events", headers=seen)).status_code == 404


@pytest.mark.usefixtures("no_poll")
async def test_a_slow_reader_begins_again_with_the_run(platform: RunningPlatform) -> None:
    run = await opened(platform)
    with executed(platform, run) as engine:
        engine.happened(MODEL)
        async with events(platform, run) as coming:
            assert [(await anext(coming)).name for _ in range(2)] == ["run", "step_started"]
            # Without a turn of the loop in between.
            for _ in range(5):
                engine.happened(StepDelta(1, "x" * (MOST_CHARACTERS // 4)))
            assert (await anext(coming)).name == "run"
            assert (await anext(coming))[:2] == ("skipped", {"step": 1})
            assert len((await anext(coming)).data["text"]) < MOST_CHARACTERS
    await close_run(platform, run.id)


@pytest.mark.usefixtures("no_poll")
async def test_a_state_is_told_of(platform: RunningPlatform) -> None:
    run = await opened(platform, state="queued")
    async with events(platform, run) as coming:
        assert (await anext(coming)).data["state"] == "queued"
        async with platform.platform.database.write() as transaction:
            now = platform.platform.runlog.under_way.now()
            await platform.platform.runlog.log.begin(transaction, run.id, now)
        changed = await anext(coming)
        assert (changed.name, changed.data["state"]) == ("state", "running")
        await close_run(platform, run.id)
        shown = [event async for event in coming]
    assert [event.name for event in shown] == ["state", "end"]
    assert shown[-1].data["state"] == "completed"


@pytest.mark.usefixtures("no_poll")
async def test_another_replica_follows_by_signals(two_replicas: TwoReplicas) -> None:
    one, other = two_replicas
    run = await opened(one)
    async with events(other, run) as coming:
        assert (await anext(coming)).name == "run"
        await log_step(one, run, MODEL_DONE)
        step = await anext(coming)
        assert (step.name, step.data["step"]) == ("step", 1)
        await close_run(one, run.id)
        assert await names_of(coming) == ["state", "end"]


async def test_another_replica_follows_without_signals(
    two_replicas: TwoReplicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_replicas
    monkeypatch.setattr(one.platform.changes.signals, "send", lambda _text: None)
    run = await opened(one)
    async with events(other, run) as coming:
        await anext(coming)
        await log_step(one, run, MODEL_DONE)
        await close_run(one, run.id)
        assert await names_of(coming) == ["state", "step", "end"]


async def followed(platform: RunningPlatform) -> tuple[list[RunStreamEvent], dict[str, Any]]:
    """The events of a run with texts, and the run."""
    run = await opened(platform, inputs={"to": SECRET_WORD})
    async with events(platform, run) as coming:
        with executed(platform, run) as engine:
            for event in (MODEL, StepDelta(1, f"Dear {SECRET_WORD}"), MODEL_DONE, CALL, CALL_DONE):
                engine.happened(event)
        for done in (MODEL_DONE, CALL_DONE):
            await log_step(platform, run, done)
        await close_run(platform, run.id)
        return [event async for event in coming], await detail(platform, run.id)


@pytest.mark.parametrize("policy", [{"run_texts": "none"}, {"run_redact": "email"}])
async def test_nobody_sees_more_than_the_log_keeps(
    database_kind: DatabaseKind, postgres: Postgres, policy: dict[str, str]
) -> None:
    async with own_platform(database_kind, postgres, **policy) as platform:
        shown, logged = await followed(platform)
    assert SECRET_WORD not in str(shown)
    assert [event.name for event in shown if event.name != "state"] == [
        *("run", "step_started", "step", "step_started", "tool_call", "tool_result", "step", "end")
    ]
    assert [event.data for event in shown if event.name == "step"] == logged["steps"]
    (call,) = [event.data for event in shown if event.name == "tool_call"]
    no_texts = policy.get("run_texts") == "none"
    assert call["name"] == ("tool: unknown" if no_texts else "tool: mail")
    assert (call["arguments"] is None) == no_texts


async def test_a_stream_ends_with_the_right_to_read(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted", viewer=user)
    run = await opened(platform, workspace_id=workspace)
    async with (
        platform.client(await new_session(platform, user)) as http,
        events(platform, run, http=http) as coming,
    ):
        await anext(coming)
        url = f"/api/workspaces/{workspace}/members/{user['id']}"
        sent(await platform.http.delete(url))
        (last,) = [event async for event in coming]
    assert (last.name, last.data["code"]) == ("error", "not_found")


async def test_a_stream_ends_with_the_session(platform: RunningPlatform) -> None:
    run = await opened(platform)
    token = await new_session(platform, await new_user(platform, "viewer"))
    async with platform.client(token) as http, events(platform, run, http=http) as coming:
        await anext(coming)
        assert (await http.post("/api/logout")).status_code == 200
        (last,) = [event async for event in coming]
    assert (last.name, last.data["code"]) == ("error", "unauthorized")


async def test_a_run_that_does_not_exist_for_the_caller_is_a_404(platform: RunningPlatform) -> None:
    run = await opened(platform, scope="env:prod")
    key = await new_api_key(platform, environments=["test"])
    async with platform.client(key) as http:
        for run_id in (run.id, "none"):
            assert (await http.get(f"/api/runs/{run_id}/events")).status_code == 404


async def test_streams_of_one_caller_are_bounded(
    database_kind: DatabaseKind, postgres: Postgres
) -> None:
    async with own_platform(database_kind, postgres, streams_per_caller=1) as platform:
        run = await opened(platform)
        async with events(platform, run) as coming:
            await anext(coming)
            refused = await platform.http.get(f"/api/runs/{run.id}/events")
            assert refused.status_code == 429
            assert "PROMPTOPS_STREAMS_PER_CALLER" in refused.json()["error"]
        open_streams = platform.platform.open_streams
        await until(lambda: not open_streams._open)
        async with events(platform, run) as coming:
            await anext(coming)


@pytest_asyncio.fixture
async def stoppable(
    database_kind: DatabaseKind, postgres: Postgres
) -> AsyncIterator[RunningPlatform]:
    async with own_platform(database_kind, postgres) as platform:
        yield platform


async def test_a_stop_ends_the_stream(stoppable: RunningPlatform) -> None:
    run = await opened(stoppable)
    async with events(stoppable, run) as coming:
        await anext(coming)
        stoppable.platform.stop_signal.set()
        assert await names_of(coming) == ["stopping"]
    await until(lambda: not stoppable.platform.open_streams._open)
