"""Cancel and Retry as pressed in Prefect's interface: each sets a state, regardless of the current
one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient

from harness.engine import READY_SECONDS, EngineProcess, going, request, run_to_end
from harness.held_model import held_model
from harness.prefect_runs import flow_run, task_runs
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS, eventually
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.prefect_buttons import PrefectButtons
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.engine.suspended_runs import SuspendedRuns
from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.engine_client import CancelPressed, RetryPressed, RunFinished

CANCEL = {"type": "CANCELLING", "name": "Cancelling"}
RETRY = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
NOT_RETRIED = "Retry was pressed, and PromptOps did not start the run again"
FAILING = [{"name": "read", "type": "transform", "op": "json"}]


def press(server: PrefectServer, flow_run_id: str, state: dict[str, str]) -> None:
    with server.client() as client:
        body = {"state": state, "force": True}
        client.post(f"flow_runs/{flow_run_id}/set_state", json=body).raise_for_status()


def shown(server: PrefectServer, flow_run_id: str) -> tuple[str, str]:
    state: dict[str, Any] = flow_run(server, flow_run_id)["state"]
    return state["name"], state["message"]


async def shows(server: PrefectServer, flow_run_id: str, *expected: str) -> None:
    await asyncio.to_thread(eventually, lambda: shown(server, flow_run_id) == expected)


async def test_cancel_ends_the_run(engine: EngineProcess, prefect_server: PrefectServer) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model, going(engine.client(), model.request) as (run, events):
        await model.is_asked()
        await asyncio.to_thread(press, prefect_server, run.flow_run_id, CANCEL)
        async with asyncio.timeout(WAIT_SECONDS):
            end = [event async for event in events][-1]
    assert isinstance(end, RunFinished)
    assert (end.state, end.cancelled_by) == ("cancelled", "Prefect")
    await shows(prefect_server, run.flow_run_id, "Cancelled", "Cancelled by Prefect")
    (task,) = task_runs(prefect_server, run.flow_run_id, 1)
    assert task["state_name"] == "Cancelled"


async def test_retry_is_reported_and_executes_the_same_flow_run(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    client = engine.client()
    await client.wait_ready(READY_SECONDS)
    failed = await run_to_end(client, request(FAILING, key="retried"))
    await shows(prefect_server, failed.flow_run_id, "Failed", failed.result.error or "")
    watch = await client.watch()
    await asyncio.to_thread(press, prefect_server, failed.flow_run_id, RETRY)
    async with asyncio.timeout(WAIT_SECONDS):
        async for pressed in watch.events():
            if pressed.flow_run_id == failed.flow_run_id:
                break
    await watch.close()
    again = await run_to_end(client, request(key="retried", flow_run_id=failed.flow_run_id))
    assert (again.flow_run_id, again.result.state) == (failed.flow_run_id, "completed")
    await shows(prefect_server, failed.flow_run_id, "Completed", "Steps completed: 3")
    assert flow_run(prefect_server, failed.flow_run_id)["run_count"] == 2


async def test_a_refused_retry_shows_the_end_again_with_the_reason(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    client = engine.client()
    await client.wait_ready(READY_SECONDS)
    flow_run_id = (await run_to_end(client, request())).flow_run_id
    watch = await client.watch()
    await asyncio.to_thread(press, prefect_server, flow_run_id, RETRY)
    async with asyncio.timeout(WAIT_SECONDS):
        async for pressed in watch.events():
            if pressed.flow_run_id == flow_run_id:
                break
    await watch.refuse_retry(flow_run_id, "it was completed")
    note = f"{NOT_RETRIED}: it was completed"
    await shows(prefect_server, flow_run_id, "Completed", f"Steps completed: 3; {note}")
    await watch.close()


@pytest.mark.trial
async def test_cancel_after_the_end_shows_the_end_again(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request())
    press(prefect_server, record.flow_run_id, CANCEL)
    note = "Cancel was pressed after the run had ended"
    await shows(prefect_server, record.flow_run_id, "Completed", f"Steps completed: 3; {note}")
    press(prefect_server, record.flow_run_id, CANCEL)
    await shows(prefect_server, record.flow_run_id, "Completed", f"Steps completed: 3; {note}")


class Runs:
    """The callbacks of an engine, without an engine."""

    def __init__(self) -> None:
        self.watchers = RetryWatchers()
        self.executed: set[str] = set()
        self.cancelled: list[str] = []

    def cancel(self, flow_run_id: str, by: str) -> bool:
        return flow_run_id in self.executed

    @property
    def retried(self) -> list[str]:
        presses: list[RetryPressed | CancelPressed] = []
        with self.watchers.watching(presses.append):
            return [pressed.flow_run_id for pressed in presses]

    def executes(self, flow_run_id: str) -> bool:
        return flow_run_id in self.executed


@asynccontextmanager
async def obeyed(server: PrefectServer, runs: Runs, engine_id: str) -> AsyncIterator[None]:
    """The buttons, with hardly any patience."""
    gate = PrefectGate()
    gate.settle(None)
    async with PrefectClient(server.api_url, auth_string=server.auth) as client:
        buttons = PrefectButtons(
            client,
            gate,
            EngineIdentity(engine_id),
            cancel=runs.cancel,
            executes=runs.executes,
            watchers=runs.watchers,
            suspended=SuspendedRuns(
                client, executes=runs.executes, cancelled=runs.cancelled.append
            ),
            retry_patience_seconds=1.5,
        )
        watching = asyncio.create_task(buttons.watch())
        try:
            yield
        finally:
            await end_tasks(watching)


def failed_run(server: PrefectServer, engine_id: str) -> str:
    """A failed flow run of the engine with that id."""
    state = {"type": "FAILED", "message": "step 1 (read): it is not JSON"}
    return new_flow_run(server, engine_id, state)


def new_flow_run(server: PrefectServer, engine_id: str, state: dict[str, str]) -> str:
    """A flow run of the engine with that id, in that state."""
    with server.client() as client:
        flow = client.post("flows/", json={"name": "pressed"}).json()
        run = {
            "flow_id": flow["id"],
            "tags": ["promptops", f"engine:{engine_id}"],
            "state": state,
        }
        return str(client.post("flow_runs/", json=run).raise_for_status().json()["id"])


async def test_an_unhandled_retry_shows_the_failure_again(
    prefect_server: PrefectServer,
) -> None:
    runs = Runs()
    flow_run_id = await asyncio.to_thread(failed_run, prefect_server, "alone")
    async with obeyed(prefect_server, runs, "alone"):
        await asyncio.to_thread(press, prefect_server, flow_run_id, RETRY)
        message = f"step 1 (read): it is not JSON; {NOT_RETRIED}"
        await shows(prefect_server, flow_run_id, "Failed", message)
    assert runs.retried == [flow_run_id]


async def test_a_waiting_retry_keeps_waiting(
    prefect_server: PrefectServer,
) -> None:
    runs = Runs()
    waiting, other = [await asyncio.to_thread(failed_run, prefect_server, "busy") for _ in range(2)]
    runs.executed.add(waiting)
    async with obeyed(prefect_server, runs, "busy"):
        for flow_run_id in (waiting, other):
            await asyncio.to_thread(press, prefect_server, flow_run_id, RETRY)
        # The unhandled one shows that the patience is over.
        await asyncio.to_thread(eventually, lambda: shown(prefect_server, other)[0] == "Failed")
        assert shown(prefect_server, waiting)[0] in ("AwaitingRetry", "Late")
    assert runs.retried == [other]


async def test_a_flow_run_that_has_not_begun_is_not_retried(prefect_server: PrefectServer) -> None:
    """The engine has adopted a due one, and the platform records its run."""
    runs = Runs()
    due = await asyncio.to_thread(new_flow_run, prefect_server, "slow", {"type": "SCHEDULED"})
    other = await asyncio.to_thread(failed_run, prefect_server, "slow")
    async with obeyed(prefect_server, runs, "slow"):
        await asyncio.to_thread(press, prefect_server, other, RETRY)
        await asyncio.to_thread(eventually, lambda: shown(prefect_server, other)[0] == "Failed")
        assert shown(prefect_server, due)[0] in ("Scheduled", "Late")
    assert runs.retried == [other]


async def test_flow_runs_of_others_are_left_alone(prefect_server: PrefectServer) -> None:
    runs = Runs()
    foreign = await asyncio.to_thread(failed_run, prefect_server, "another")
    own = await asyncio.to_thread(failed_run, prefect_server, "own")
    async with obeyed(prefect_server, runs, "own"):
        for flow_run_id in (foreign, own):
            await asyncio.to_thread(press, prefect_server, flow_run_id, RETRY)
        await asyncio.to_thread(eventually, lambda: shown(prefect_server, own)[0] == "Failed")
    assert runs.retried == [own]
    assert shown(prefect_server, foreign)[0] in ("AwaitingRetry", "Late")
