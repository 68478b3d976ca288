"""The engine's behaviour when its surroundings stop, hang or recover."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.engine import (
    READY_SECONDS,
    prepared,
    request,
    run_to_end,
    running_engine,
    unavailable,
    under_way,
)
from harness.held_model import ANSWER, held_model
from harness.prefect_runs import until_state
from harness.prefect_server import PrefectServer, end, frozen, spawn
from harness.processes import WAIT_SECONDS, eventually
from harness.tcp_gate import tcp_gate
from promptops_flows.processes.children import engine_spec
from promptops_flows.protocol.engine_client import (
    EngineClient,
    EngineLost,
    EngineUnavailable,
    RunFinished,
    StepCheckpoint,
    StepFinished,
)

pytestmark = pytest.mark.trial

ENDLESS = {"name": "endless", "type": "model", "model": "mock-slow-60000ms"}


def state_name(server: PrefectServer, flow_run_id: str) -> str:
    with server.client() as client:
        return str(client.get(f"flow_runs/{flow_run_id}").json()["state_name"])


def task_states(server: PrefectServer, flow_run_id: str) -> dict[str, str]:
    filters = {"flow_runs": {"id": {"any_": [flow_run_id]}}}
    with server.client() as client:
        runs = client.post("task_runs/filter", json=filters).json()
    return {run["name"]: run["state_name"] for run in runs if run["state_name"] == "Completed"}


async def test_without_an_engine_the_reason_comes_at_the_deadline(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "no.sock")
    began = time.monotonic()
    with pytest.raises(EngineUnavailable, match="the run engine is not running"):
        await client.wait_ready(0.3)
    assert 0.25 < time.monotonic() - began < 20
    with pytest.raises(EngineUnavailable, match="the run engine is not running"):
        await client.start(request())


async def test_an_engine_that_never_answers_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "silent.sock"

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(silent, path)
    async with server:
        with pytest.raises(EngineUnavailable, match=r"did not prepare the run within 0\.2 s"):
            await EngineClient(path).start(request(), 0.2)


async def test_the_engine_reports_that_prefect_is_down_and_recovers(
    prefect_server: PrefectServer,
) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    async with tcp_gate(port) as gate:
        await gate.shut()
        with running_engine(f"http://127.0.0.1:{gate.port}/api", prefect_server.auth) as engine:
            client, away = engine.client(), f"127.0.0.1:{gate.port} can't be reached"
            await unavailable(client, away)
            await gate.open()
            await client.wait_ready(READY_SECONDS)
            async with (
                held_model() as model,
                under_way(client, model.request) as (
                    flow_run_id,
                    events,
                ),
            ):
                await gate.shut()
                await unavailable(client, away)
                with pytest.raises(EngineUnavailable, match=away):
                    await client.start(request())
                await gate.open()
                await client.wait_ready(READY_SECONDS)
                model.hold.release()
                assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
            await until_state(prefect_server, "Completed", flow_run_id)
            assert (await run_to_end(client, request())).result.status == "ok"
            # Not at the end of the block, which would block the relay's loop.
            engine.process.terminate()
            assert await asyncio.to_thread(engine.exit_code) == 0


async def test_prefect_later_stores_the_end_of_a_run_that_it_missed(
    prefect_server: PrefectServer,
) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    impatient = {"PREFECT_CLIENT_MAX_RETRIES": "0"}
    async with tcp_gate(port) as gate:
        url = f"http://127.0.0.1:{gate.port}/api"
        with running_engine(url, prefect_server.auth, environment=impatient) as engine:
            await engine.client().wait_ready(READY_SECONDS)
            async with (
                held_model() as model,
                under_way(engine.client(), model.request) as (
                    flow_run_id,
                    events,
                ),
            ):
                await gate.shut()
                model.hold.release()
                assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
            assert state_name(prefect_server, flow_run_id) == "Running"
            await gate.open()
            await until_state(prefect_server, "Completed", flow_run_id)
            engine.process.terminate()
            assert await asyncio.to_thread(engine.exit_code) == 0


async def test_a_frozen_prefect_does_not_delay_the_result(
    prefect_server: PrefectServer,
) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with (
            held_model() as model,
            under_way(engine.client(), model.request) as (
                flow_run_id,
                events,
            ),
        ):
            with frozen(prefect_server):
                model.hold.release()
                async with asyncio.timeout(WAIT_SECONDS):
                    assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
        await until_state(prefect_server, "Completed", flow_run_id)


async def test_a_stop_while_prefect_is_frozen_returns_the_result(
    prefect_server: PrefectServer,
) -> None:
    auth = prefect_server.auth
    with running_engine(prefect_server.api_url, auth, drain_seconds=0.3) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, under_way(engine.client(), model.request) as (_, events):
            with frozen(prefect_server):
                model.hold.release()
                assert isinstance(await anext(events), StepCheckpoint)
                assert isinstance(await anext(events), StepFinished)
                engine.process.send_signal(signal.SIGTERM)
                # Already before the engine has given up on Prefect.
                async with asyncio.timeout(4):
                    assert [event async for event in events] == [RunFinished("ok", ANSWER)]
                assert await asyncio.to_thread(engine.exit_code) == 0


async def test_a_stop_while_prefect_is_frozen_ends_an_unfinished_run(
    prefect_server: PrefectServer,
) -> None:
    auth = prefect_server.auth
    with running_engine(prefect_server.api_url, auth, drain_seconds=0.3) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with under_way(engine.client(), request([ENDLESS])) as (_, events):
            with frozen(prefect_server):
                engine.process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(WAIT_SECONDS):
                    step, result = [event async for event in events]
        assert isinstance(step, StepFinished)
        assert step.state == "Cancelled"
        assert isinstance(result, RunFinished)
        assert result.error == "the run engine was stopped before the run ended"
        assert result.state == "crashed"


async def test_a_wrong_password_is_named(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, "admin:wrong") as engine:
        await unavailable(engine.client(), "refuses the engine's password")
        assert "wrong" not in engine.log.read_text()


async def test_sigterm_lets_a_run_finish_and_takes_no_more(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        client = engine.client()
        await client.wait_ready(READY_SECONDS)
        async with (
            held_model() as model,
            prepared(client, request()) as left,
            under_way(client, model.request) as (flow_run_id, events),
        ):
            engine.process.send_signal(signal.SIGTERM)
            await unavailable(client)
            model.hold.release()
            assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
        assert await asyncio.to_thread(engine.exit_code) == 0
        assert not engine.socket.exists()
    await until_state(prefect_server, "Completed", flow_run_id)
    steps = await asyncio.to_thread(eventually, lambda: task_states(prefect_server, flow_run_id))
    assert steps == {"held": "Completed"}
    with prefect_server.client() as api:
        assert api.get(f"flow_runs/{left.flow_run_id}").status_code == 404


async def test_a_run_that_outlasts_the_drain_ends_with_a_reason(
    prefect_server: PrefectServer,
) -> None:
    auth = prefect_server.auth
    with running_engine(prefect_server.api_url, auth, drain_seconds=0.3) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with under_way(engine.client(), request([ENDLESS])) as (flow_run_id, events):
            engine.process.send_signal(signal.SIGTERM)
            result = [event async for event in events][-1]
        assert isinstance(result, RunFinished)
        assert result.error == "the run engine was stopped before the run ended"
        assert result.state == "crashed"
        assert await asyncio.to_thread(engine.exit_code) == 0
    await until_state(prefect_server, "Crashed", flow_run_id)


async def test_the_death_of_the_parent_is_a_graceful_stop(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, under_way(engine.client(), model.request) as (_, events):
            assert engine.process.stdin is not None
            engine.process.stdin.close()
            await unavailable(engine.client())
            model.hold.release()
            assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
        assert await asyncio.to_thread(engine.exit_code) == 0


async def test_an_engine_killed_during_a_run_is_lost(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with under_way(engine.client(), request([ENDLESS])) as (_, events):
            engine.process.kill()
            with pytest.raises(EngineLost, match="the run engine ended before the run did"):
                await anext(events)


async def test_runs_beyond_the_limit_wait(prefect_server: PrefectServer) -> None:
    auth = prefect_server.auth
    with running_engine(prefect_server.api_url, auth, concurrency=1) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        step = {"name": "s", "type": "model", "model": "mock-slow-300ms"}
        began = time.monotonic()
        records = await asyncio.gather(
            *(run_to_end(engine.client(), request([step])) for _ in range(3))
        )
        assert time.monotonic() - began > 0.9
        assert [record.result.status for record in records] == ["ok"] * 3


@pytest.mark.parametrize(
    ("missing", "words"),
    [("PREFECT_API_URL", "PREFECT_API_URL is not set"), ("PROMPTOPS_ENGINE_SOCKET", "SOCKET is")],
)
def test_invalid_settings_end_it_with_a_message(tmp_path: Path, missing: str, words: str) -> None:
    spec = engine_spec(
        socket=tmp_path / "e.sock",
        instance="an-engine",
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:1/api",
        prefect_auth=None,
        concurrency=1,
        drain_seconds=1,
    )
    process: subprocess.Popen[bytes] = spawn(
        type(spec)(spec.name, spec.argv, {**spec.env, missing: ""}, spec.log_name),
        tmp_path / "log",
    )
    try:
        assert process.wait(timeout=WAIT_SECONDS) == 2
    finally:
        end(process)
    assert words in (tmp_path / "log").read_text()
