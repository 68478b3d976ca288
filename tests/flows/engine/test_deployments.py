"""Deployments, timers and events in a real Prefect server, through the run engine."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.engine import READY_SECONDS, EngineProcess
from harness.prefect_runs import flow_run
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS, eventually
from promptops_flows.protocol.deployment_messages import (
    DeleteDeployment,
    Deployment,
    DeploymentStored,
    EmitEvents,
    FlowRunAnswer,
    FlowRunDue,
    NextTimes,
    Owner,
    PlatformEvent,
    PutDeployment,
    PutTimer,
    Reconcile,
    Reconciled,
    Timer,
    Times,
    Timetable,
)
from promptops_flows.protocol.engine_client import DueFlowRuns, EngineRefused

DAILY = Timetable(cron="0 3 * * *", timezone="Europe/Berlin")


@pytest.fixture(autouse=True)
async def ready(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)


@pytest.fixture
def pool() -> str:
    return f"pool-{uuid.uuid4().hex[:8]}"


def deployment(**fields: Any) -> Deployment:
    owner = Owner("schedule", uuid.uuid4().hex)
    defaults = {"owner": owner, "name": "nightly", "key": "report"}
    return Deployment(**{"workspace": "default", **defaults, **fields})


@asynccontextmanager
async def due_in(engine: EngineProcess, pool: str) -> AsyncIterator[DueFlowRuns]:
    due = await engine.client().take_due(pool, "test")
    try:
        yield due
    finally:
        await due.close()


async def next_due(due: DueFlowRuns) -> FlowRunDue:
    async with asyncio.timeout(WAIT_SECONDS):
        async for event in due.events():
            if isinstance(event, FlowRunDue):
                return event
    raise AssertionError


async def put(engine: EngineProcess, pool: str, asked: Deployment) -> str:
    stored = await engine.client().ask(PutDeployment(pool, asked))
    assert isinstance(stored, DeploymentStored)
    assert stored.url is not None
    assert stored.url.endswith(f"/deployment/{stored.deployment_id}")
    return stored.deployment_id


def shown(server: PrefectServer, deployment_id: str) -> dict[str, Any]:
    with server.client() as client:
        fields: dict[str, Any] = client.get(f"deployments/{deployment_id}").json()
        return fields


async def test_a_timetable_makes_flow_runs_due_at_their_times(
    engine: EngineProcess, prefect_server: PrefectServer, pool: str
) -> None:
    asked = deployment(timetable=Timetable(interval_seconds=1), parameters={"who": "Ada"})
    async with due_in(engine, pool) as due:
        deployment_id = await put(engine, pool, asked)
        first, second = await next_due(due), await next_due(due)
        assert (first.owner, first.automatic) == (asked.owner, True)
        assert first.parameters == {}, "they are the deployment's"
        assert first.flow_run_id != second.flow_run_id
        assert datetime.fromisoformat(first.scheduled_at) < datetime.now(UTC)
        await due.answer(FlowRunAnswer(first.flow_run_id, "refused", "not today"))

        def cancelled() -> bool:
            state = flow_run(prefect_server, first.flow_run_id)["state"]
            return (state["type"], state["message"]) == ("CANCELLED", "not today")

        await asyncio.to_thread(eventually, cancelled)
    fields = shown(prefect_server, deployment_id)
    assert (fields["name"], fields["work_pool_name"]) == (f"nightly ({pool})", pool)
    await engine.client().ask(DeleteDeployment(pool, asked.owner))
    assert "not found" in shown(prefect_server, deployment_id)["detail"].lower()


async def test_later_is_offered_again(engine: EngineProcess, pool: str) -> None:
    timer = Timer(Owner("reminder", "r1"), datetime.now(UTC).isoformat())
    async with due_in(engine, pool) as due:
        await engine.client().ask(PutTimer(pool, timer))
        first = await next_due(due)
        assert (first.owner, first.automatic) == (timer.owner, False)
        await due.answer(FlowRunAnswer(first.flow_run_id, "later", "busy", 0.1))
        again = await next_due(due)
        assert again == replace(first, waited=True)
        await due.answer(FlowRunAnswer(first.flow_run_id, "done", "sent"))


async def test_a_timer_replaces_the_one_before(
    engine: EngineProcess, prefect_server: PrefectServer, pool: str
) -> None:
    client = engine.client()
    far = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await client.ask(PutTimer(pool, Timer(Owner("deadline", "d1"), far)))
    await client.ask(PutTimer(pool, Timer(Owner("deadline", "d1"), far)))
    assert timers(prefect_server, pool) == [("deadline d1", far)]
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await client.ask(PutTimer(pool, Timer(Owner("deadline", "d1"), later)))
    assert timers(prefect_server, pool) == [("deadline d1", later)]
    await client.ask(Reconcile(pool, timers=(Timer(Owner("deadline", "d2"), far),)))
    assert timers(prefect_server, pool) == [("deadline d2", far)]


def timers(server: PrefectServer, pool: str) -> list[tuple[str, str]]:
    filters = {
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "work_pools": {"name": {"any_": [pool]}},
    }
    with server.client() as client:
        rows = client.post("flow_runs/filter", json=filters).json()
    return [
        (row["name"], datetime.fromisoformat(row["next_scheduled_start_time"]).isoformat())
        for row in rows
    ]


async def test_reconciling_corrects_what_differs(
    engine: EngineProcess, prefect_server: PrefectServer, pool: str
) -> None:
    client = engine.client()
    same, other, extra = (deployment(name=name, timetable=DAILY) for name in ("a", "b", "c"))
    ids = [await put(engine, pool, asked) for asked in (same, other, extra)]
    changed = replace(other, timetable=Timetable(rrule="FREQ=DAILY", timezone="UTC"))
    new = deployment(name="d", paused=True, timetable=DAILY)
    answer = await client.ask(Reconcile(pool, (same, changed, new)))
    assert isinstance(answer, Reconciled)
    assert (answer.created, answer.corrected) == (("report/d",), ("report/b",))
    assert answer.removed == (f"c ({pool})",)
    assert [row[1:3] for row in answer.urls[:2]] == [
        [same.owner.ref, ids[0]],
        [other.owner.ref, ids[1]],
    ]
    assert shown(prefect_server, ids[1])["schedules"][0]["schedule"]["rrule"].endswith("FREQ=DAILY")
    again = await client.ask(Reconcile(pool, (same, changed, new)))
    assert isinstance(again, Reconciled)
    assert (again.created, again.corrected, again.removed) == ((), (), ())


async def test_an_event_runs_the_deployment_that_it_names(engine: EngineProcess, pool: str) -> None:
    asked = deployment()
    async with due_in(engine, pool) as due:
        await put(engine, pool, asked)
        telling = asyncio.create_task(tell_again(engine, pool, asked.owner))
        run = await next_due(due)
        telling.cancel()
        assert (run.owner, run.automatic) == (asked.owner, False)
        assert run.parameters == {"event": "firing-1"}
        await due.answer(FlowRunAnswer(run.flow_run_id, "done"))


async def tell_again(engine: EngineProcess, pool: str, owner: Owner) -> None:
    """Prefect ignores events that it receives before its new automation is active."""
    while True:
        event = PlatformEvent(
            id=str(uuid.uuid4()),
            name="promptops.prompt.published",
            owner=owner,
            parameter="firing-1",
        )
        await engine.client().ask(EmitEvents(pool, (event,)))
        await asyncio.sleep(2)


LORD_HOWE = "Australia/Lord_Howe"
ANCHOR = "2026-03-01T08:00:00+00:00"


@pytest.mark.parametrize(
    ("timetable", "after", "times"),
    [
        pytest.param(
            Timetable(cron="45 1 * * *", timezone=LORD_HOWE),
            "2026-04-03T00:00:00+00:00",
            ["04-03T14:45", "04-04T14:45", "04-05T15:15"],
            id="cron, a half hour that comes twice counts once",
        ),
        pytest.param(
            Timetable(cron="15 2 * * *", timezone=LORD_HOWE),
            "2026-10-02T00:00:00+00:00",
            ["10-02T15:45", "10-03T15:15", "10-04T15:15"],
            id="cron, a half hour that is left out counts before it",
        ),
        pytest.param(
            Timetable(cron="30 2 * * *", timezone="Europe/Berlin"),
            "2026-03-28T00:00:00+00:00",
            ["03-28T01:30", "03-29T00:30", "03-30T00:30"],
            id="cron, an hour that is left out counts before it",
        ),
        pytest.param(
            Timetable(cron="30 2 * * *", timezone="Europe/Berlin"),
            "2026-10-24T00:00:00+00:00",
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"],
            id="cron, an hour that comes twice counts once",
        ),
        pytest.param(
            Timetable(interval_seconds=86_400, timezone="Europe/Berlin", anchor=ANCHOR),
            "2026-03-28T00:00:00+00:00",
            ["03-28T08:00", "03-29T07:00", "03-30T07:00"],
            id="interval of a day, by the wall clock",
        ),
        pytest.param(
            Timetable(interval_seconds=86_400, timezone=LORD_HOWE, anchor=ANCHOR),
            "2026-04-03T12:00:00+00:00",
            ["04-04T08:00", "04-05T08:30", "04-06T08:30"],
            id="interval of a day, by the wall clock of a half hour",
        ),
        pytest.param(
            Timetable(interval_seconds=3600, timezone="Europe/Berlin", anchor=ANCHOR),
            "2026-10-25T00:00:00+00:00",
            ["10-25T00:00", "10-25T01:00", "10-25T02:00"],
            id="interval of an hour, an hour that comes twice is not left out",
        ),
        pytest.param(
            Timetable(interval_seconds=1800, timezone=LORD_HOWE, anchor=ANCHOR),
            "2026-04-04T14:30:00+00:00",
            ["04-04T14:30", "04-04T15:00", "04-04T15:30"],
            id="interval of half an hour",
        ),
        pytest.param(
            Timetable(rrule="FREQ=DAILY;BYHOUR=9", timezone="Europe/Berlin"),
            "2026-03-28T00:00:00+00:00",
            ["03-28T08:00", "03-29T07:00", "03-30T07:00"],
            id="rrule",
        ),
        pytest.param(
            Timetable(rrule="FREQ=DAILY;BYHOUR=9", timezone=LORD_HOWE),
            "2026-04-03T12:00:00+00:00",
            ["04-03T22:00", "04-04T22:30", "04-05T22:30"],
            id="rrule of a half hour",
        ),
    ],
)
async def test_times_around_changes_of_daylight_saving(
    engine: EngineProcess, timetable: Timetable, after: str, times: list[str]
) -> None:
    answer = await engine.client().ask(NextTimes((timetable,), 3, after))
    assert isinstance(answer, Times)
    assert answer.times == ([f"2026-{time}:00+00:00" for time in times],)


@pytest.mark.parametrize(
    ("timetable", "after", "times"),
    [
        (
            DAILY,
            "2026-03-28T00:00:00+00:00",
            ["2026-03-28T02:00:00+00:00", "2026-03-29T01:00:00+00:00", "2026-03-30T01:00:00+00:00"],
        ),
        (
            Timetable(cron="30 1 * * *", timezone="America/New_York"),
            "2026-10-31T12:00:00+00:00",
            ["2026-11-01T05:30:00+00:00", "2026-11-02T06:30:00+00:00", "2026-11-03T06:30:00+00:00"],
        ),
    ],
)
async def test_next_times_respect_daylight_saving(
    engine: EngineProcess, timetable: Timetable, after: str, times: list[str]
) -> None:
    answer = await engine.client().ask(NextTimes((timetable,), 3, after))
    assert isinstance(answer, Times)
    assert answer.times == (times,)


async def test_an_invalid_timetable_is_refused_with_a_reason(engine: EngineProcess) -> None:
    with pytest.raises(EngineRefused) as refused:
        await engine.client().ask(NextTimes((Timetable(cron="61 * * * *"),), 1, "2026-01-01"))
    assert "61" in str(refused.value)
