"""In whatever phase of a run its engine is killed, the client gets an error and Prefect shows the
end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from harness.engine import READY_SECONDS, EngineProcess, going, prepared, request, running_engine
from harness.held_model import ANSWER, held_model
from harness.prefect_runs import flow_run, task_runs
from harness.prefect_server import PrefectServer, frozen
from harness.processes import eventually
from promptops_flows.protocol.engine_client import (
    Began,
    EngineLost,
    RunEvent,
    RunFinished,
    StepFinished,
)

pytestmark = pytest.mark.trial


def kill(engine: EngineProcess) -> None:
    engine.process.kill()
    engine.process.wait()


async def is_lost(events: AsyncIterator[RunEvent]) -> None:
    with pytest.raises(EngineLost, match="the run engine ended before the run did"):
        await rest(events)


async def rest(events: AsyncIterator[RunEvent]) -> list[RunEvent]:
    return [event async for event in events]


async def end_in(
    server: PrefectServer, killed: EngineProcess, states: set[str], *flow_run_ids: str
) -> None:
    """The states of the runs in Prefect, once the next engine is up."""

    def shown() -> bool:
        return {flow_run(server, run_id)["state_name"] for run_id in flow_run_ids} <= states

    with running_engine(server.api_url, server.auth, predecessor=killed):
        await asyncio.to_thread(eventually, shown)


async def test_while_a_run_waits(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    with running_engine(*at, concurrency=1) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with (
            held_model() as model,
            going(engine.client(), model.request) as (first, events),
            prepared(engine.client(), model.request) as waiting,
        ):
            await model.is_asked()
            await waiting.go()
            kill(engine)
            await is_lost(events)
            await is_lost(waiting.events())
        await end_in(prefect_server, engine, {"Crashed"}, first.flow_run_id, waiting.flow_run_id)


async def test_while_prefect_delays_its_start(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    with running_engine(*at) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, prepared(engine.client(), model.request) as run:
            with frozen(prefect_server):
                await run.go()
                events = run.events()
                assert isinstance(await anext(events), Began)
                kill(engine)
                await is_lost(events)
            await end_in(prefect_server, engine, {"Crashed"}, run.flow_run_id)
            assert not model.hold.reached.is_set()


async def test_between_two_steps(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    with running_engine(*at) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        asked = replace(request(), durable=True)
        async with going(engine.client(), asked) as (run, events):
            async for event in events:
                if isinstance(event, StepFinished):
                    break
            # Its event has been sent to Prefect: once it is stored, the step keeps its end.
            await asyncio.to_thread(task_runs, prefect_server, run.flow_run_id, 1)
            kill(engine)
            await is_lost(run.events())
        await end_in(prefect_server, engine, {"Crashed"}, run.flow_run_id)
        (task,) = task_runs(prefect_server, run.flow_run_id, 1)
        assert (task["name"], task["state_name"]) == ("greet", "Completed")


async def test_while_prefect_stores_its_end(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    with running_engine(*at) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, going(engine.client(), model.request) as (run, events):
            await model.is_asked()
            with frozen(prefect_server):
                model.hold.release()
                assert (await rest(events))[-1] == RunFinished("ok", ANSWER)
                kill(engine)
        # Prefect may have stored the end before, or not.
        await end_in(prefect_server, engine, {"Completed", "Crashed"}, run.flow_run_id)
