"""Runs that wait for people."""

from typing import Any

import httpx

from harness.detached_runs import submit
from harness.people import sent
from harness.platform import RunningPlatform, new_key, until_found
from harness.runs import detail
from harness.workflows import save_workflow
from promptops_flows.definitions.workflow import parse_workflow
from promptops_flows.protocol.engine_client import ApprovalAsked, RunRequest
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.ids import new_id
from promptops_platform.runlog.new_run import NewRun

ASK: dict[str, Any] = {"name": "ask", "type": "approval", "message": "Send it?"}
STEPS: list[dict[str, Any]] = [
    {"name": "draft", "type": "render", "template": "draft"},
    ASK,
    {"name": "send", "type": "render", "template": "send"},
]


def asking(**fields: Any) -> list[dict[str, Any]]:
    """The steps of a workflow, with these fields of the approval."""
    return [STEPS[0], {**ASK, **fields}, STEPS[2]]


async def waiting(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    """The approval of a run, once it waits."""

    async def look() -> list[dict[str, Any]]:
        run = await detail(platform, run_id)
        return await approvals(platform, run=run_id) if run["state"] == "waiting" else []

    (approval,) = [item for item in await until_found(look) if item["state"] == "waiting"]
    return approval


async def asked_run(
    platform: RunningPlatform, steps: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The approval of a new run."""
    workflow = await save_workflow(platform, STEPS if steps is None else steps)
    return await waiting(platform, await submit(platform, workflow))


async def approvals(platform: RunningPlatform, **filters: str) -> list[dict[str, Any]]:
    answer = await platform.http.get("/api/approvals", params=filters)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["data"]
    return listed


async def approval(platform: RunningPlatform, approval_id: str) -> dict[str, Any]:
    answer = await platform.http.get(f"/api/approvals/{approval_id}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()["data"]
    return shown


async def decide(
    client: httpx.AsyncClient, item: dict[str, Any], action: str = "approve", **body: Any
) -> httpx.Response:
    return await client.post(f"/api/approvals/{item['id']}/{action}", json=body)


async def new_approval(
    platform: RunningPlatform,
    workspace_id: str = "default",
    *,
    key: str | None = None,
    scope: str | None = None,
    message: str = "Send it?",
    **fields: Any,
) -> str:
    """The id of an approval whose run was never executed."""
    plan = parse_workflow({"steps": asking(message=message, **fields)})
    name = key or new_key()
    new = NewRun(
        new_id(),
        workspace_id,
        "workflow",
        name,
        user="admin",
        scope=scope,
        state="queued",
        is_detached=True,
    )
    request = RunRequest(new.id, "default", name, name, "1", plan, {})
    rooms = platform.platform
    sealed = await rooms.execution.stored.sealed(StoredPlan(request, "admin"))
    asked = [ApprovalAsked(2, "ask", message)]
    async with rooms.database.write() as transaction:
        row = await rooms.runlog.log.open(transaction, new)
        await rooms.execution.stored.add(transaction, row.id, sealed)
        await transaction.session.flush()
        await rooms.execution.suspensions.records.ask(transaction, row, plan, asked)
        rooms.runlog.under_way.suspend(transaction, row, waits=True)
    return str((await approvals(platform, run=new.id))[0]["id"])


async def new_link(platform: RunningPlatform, approval_id: str) -> str:
    """The token of a link that decides this approval."""
    made = sent(await platform.http.post(f"/api/approvals/{approval_id}/link"))
    return str(made["url"].rpartition("/")[2])
