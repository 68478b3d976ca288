"""Runs under way when an engine is killed do not stay running in Prefect."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx

from harness.engine import EngineProcess, eventually, prepared, request, running_engine, under_way
from harness.prefect_server import PrefectServer
from harness.tcp_gate import tcp_gate
from promptops_flows.engine_client import RunFinished

SLOW = {"name": "slow", "type": "model", "model": "mock-slow-1000ms"}
DRAINING = {"name": "slow", "type": "model", "model": "mock-slow-10000ms"}
ENDLESS = {"name": "endless", "type": "model", "model": "mock-slow-60000ms"}
MESSAGE = "The run engine ended before it reported the end of this run"
MORE_THAN_A_PAGE = 130


def state(server: PrefectServer, flow_run_id: str) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"flow_runs/{flow_run_id}").raise_for_status().json()
        return dict(found["state"])


def names(server: PrefectServer, *flow_run_ids: str) -> list[str]:
    return [state(server, each)["name"] for each in flow_run_ids]


async def until(server: PrefectServer, name: str, *flow_run_ids: str) -> None:
    wanted = [name] * len(flow_run_ids)
    await asyncio.to_thread(eventually, lambda: names(server, *flow_run_ids) == wanted, 30)


def kill(engine: EngineProcess) -> None:
    engine.process.kill()
    engine.process.wait()


async def killed_in_a_run(server: PrefectServer, engine: EngineProcess) -> list[str]:
    """One of its runs was executing, the other not yet let go."""
    await engine.client().wait_ready(30)
    async with (
        prepared(engine.client(), request()) as waiting,
        under_way(engine.client(), request([ENDLESS])) as (flow_run_id, _),
    ):
        assert names(server, flow_run_id, waiting.flow_run_id) == ["Running", "Pending"]
        kill(engine)
    return [flow_run_id, waiting.flow_run_id]


async def test_the_next_engine_ends_the_runs_of_a_killed_one(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        old, stranger = (stack.enter_context(running_engine(*at)) for _ in range(2))
        left = await killed_in_a_run(prefect_server, old)
        foreign = await killed_in_a_run(prefect_server, stranger)
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(30)
        await until(prefect_server, "Crashed", *left)
        assert {state(prefect_server, each)["message"] for each in left} == {MESSAGE}
        assert names(prefect_server, *foreign) == ["Running", "Pending"]
        assert new.process.poll() is None


def leave_behind(client: httpx.Client, count: int, engine: EngineProcess) -> list[str]:
    flow_id = client.post("flows/", json={"name": "left"}).raise_for_status().json()["id"]
    tags = ["promptops", f"engine:{engine.engine_id}"]
    run = {"flow_id": flow_id, "tags": tags, "state": {"type": "RUNNING"}}
    answers = [client.post("flow_runs/", json=run).raise_for_status() for _ in range(count)]
    return [answer.json()["id"] for answer in answers]


def unfinished(client: httpx.Client, engine: EngineProcess) -> list[str]:
    states = {"type": {"any_": ["RUNNING", "PENDING"]}}
    wanted = {"tags": {"all_": [f"engine:{engine.engine_id}"]}, "state": states}
    found = client.post("flow_runs/filter", json={"flow_runs": wanted}).raise_for_status().json()
    return [run["id"] for run in found]


async def test_more_than_a_page_is_ended_once_prefect_is_back(
    prefect_server: PrefectServer,
) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    async with tcp_gate(port) as gate:
        await gate.shut()
        url = f"http://127.0.0.1:{gate.port}/api"
        with running_engine(url, prefect_server.auth) as engine, prefect_server.client() as client:
            await asyncio.to_thread(leave_behind, client, MORE_THAN_A_PAGE, engine)
            await gate.open()
            await engine.client().wait_ready(30)

            def all_ended() -> bool:
                return not unfinished(client, engine)

            await asyncio.to_thread(eventually, all_ended, 30)
            # Not at the end of the block, which would stop the relay's loop meanwhile.
            engine.process.terminate()
            assert await asyncio.to_thread(engine.exit_code) == 0


async def test_engines_that_live_keep_their_runs(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        old = stack.enter_context(running_engine(*at))
        await old.client().wait_ready(30)
        run_id, events = await stack.enter_async_context(
            under_way(old.client(), request([DRAINING]))
        )
        # As the kernel does when the platform is killed.
        assert old.process.stdin is not None
        old.process.stdin.close()
        await asyncio.to_thread(eventually, lambda: not old.socket.exists())
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(30)
        with prefect_server.client() as client:
            (left,) = leave_behind(client, 1, new)
        own, _ = await stack.enter_async_context(under_way(new.client(), request([ENDLESS])))
        waiting = await stack.enter_async_context(prepared(new.client(), request()))
        await asyncio.sleep(1)
        assert names(prefect_server, run_id, left) == ["Running", "Running"]
        assert old.process.poll() is None
        assert [event async for event in events][-1] == RunFinished("ok", "[mock completion]")
        await until(prefect_server, "Crashed", left)
        assert names(prefect_server, run_id) == ["Completed"]
        await asyncio.sleep(0.5)
        assert names(prefect_server, own, waiting.flow_run_id) == ["Running", "Pending"]
        kill(new)


async def test_a_run_that_ends_after_all_is_shown_so(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(30)
    async with under_way(engine.client(), request([SLOW])) as (flow_run_id, events):
        crashed = {"state": {"type": "CRASHED", "message": MESSAGE}, "force": True}
        with prefect_server.client() as client:
            client.post(f"flow_runs/{flow_run_id}/set_state", json=crashed).raise_for_status()
        assert names(prefect_server, flow_run_id) == ["Crashed"]
        assert [event async for event in events][-1] == RunFinished("ok", "[mock completion]")
    assert names(prefect_server, flow_run_id) == ["Completed"]
