"""The requests of a run to Prefect's API."""

from harness.engine import READY_SECONDS, EngineProcess, request, run_to_end, running_engine
from harness.prefect_runs import ended_flow_run, flow_run, task_runs, until_state
from harness.prefect_server import PrefectServer
from harness.request_log import request_log

# No run waits for these: the gate's requests, the look-up of a flow for its first events, and their
# socket, the polling for pressed buttons, and the lines of the runs' pages.
ASIDE = (
    "GET /api/health",
    "GET /api/admin/version",
    "GET /api/flows/",
    "GET /api/events/in",
    "POST /api/flow_runs/filter",
    "POST /api/logs/",
)


async def test_a_run_costs_prefect_three_requests(prefect_server: PrefectServer) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    async with request_log(port) as log:
        with running_engine(f"http://127.0.0.1:{log.port}/api", prefect_server.auth) as engine:
            await engine.client().wait_ready(READY_SECONDS)
            first = await run_to_end(engine.client(), request())
            # A busy Prefect stores the end of a run after the run's caller has it.
            await until_state(prefect_server, "Completed", first.flow_run_id)
            before = len(log.requests)
            record = await run_to_end(engine.client(), request())
            await until_state(prefect_server, "Completed", record.flow_run_id)
            requests = [line for line in log.requests[before:] if not line.startswith(ASIDE)]
            # Not at the end of the block, which would block the relay's loop.
            engine.process.terminate()
    path = f"/api/flow_runs/{record.flow_run_id}"
    assert requests == ["POST /api/flow_runs/", f"POST {path}/set_state", f"POST {path}/set_state"]


async def test_a_deleted_flow_is_created_again(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    client, asked = engine.client(), request(key="deleted")
    await client.wait_ready(READY_SECONDS)
    record = await run_to_end(client, asked)
    # Prefect drops task runs that it writes in one batch with one whose flow run is gone.
    task_runs(prefect_server, record.flow_run_id, 3)
    first = flow_run(prefect_server, record.flow_run_id)
    with prefect_server.client() as prefect:
        prefect.delete(f"flows/{first['flow_id']}").raise_for_status()
    second = ended_flow_run(prefect_server, (await run_to_end(client, asked)).flow_run_id)
    assert second["state_name"] == "Completed"
    assert second["flow_id"] != first["flow_id"]


async def test_task_runs_belong_to_the_attempt_that_the_server_counts(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request())
    run = flow_run(prefect_server, record.flow_run_id)
    tasks = task_runs(prefect_server, record.flow_run_id, 3)
    assert [task["flow_run_run_count"] for task in tasks] == [run["run_count"]] * 3 == [1] * 3
