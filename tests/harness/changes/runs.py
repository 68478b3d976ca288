"""Runs, and the approvals that they wait for."""

from harness.approvals import new_approval, new_link
from harness.changes.rows import Call, row
from harness.changes.workflows import workflow
from harness.platform import RunningPlatform


@row("POST", "/api/runs/{run_id}/cancel")
async def _cancel_run(platform: RunningPlatform) -> Call:
    """The run log records who did it."""
    return Call(f"/api/runs/{await queued_run(platform)}/cancel", {}, status=202)


@row("POST", "/api/runs/{run_id}/retry")
async def _retry_run(platform: RunningPlatform) -> Call:
    """Like a run itself."""
    run_id = await queued_run(platform)
    answer = await platform.http.post(f"/api/runs/{run_id}/cancel")
    assert answer.json()["data"]["state"] == "cancelled", answer.text
    return Call(f"/api/runs/{run_id}/retry", {}, status=202)


@row("POST", "/api/approvals/{approval_id}/approve", "approve")
async def _approve(platform: RunningPlatform) -> Call:
    return Call(f"/api/approvals/{await new_approval(platform)}/approve", {"comment": "fine"})


@row("POST", "/api/approvals/{approval_id}/link", "link")
async def _make_link(platform: RunningPlatform) -> Call:
    return Call(f"/api/approvals/{await new_approval(platform, allow_link=True)}/link")


@row("POST", "/api/approval-links/{token}", "approve")
async def _decide_by_link(platform: RunningPlatform) -> Call:
    token = await new_link(platform, await new_approval(platform, allow_link=True))
    return Call(f"/api/approval-links/{token}", {"decision": "approve"}, actor="link")


@row("POST", "/approve/{token}", "approve")
async def _decide_by_page(platform: RunningPlatform) -> Call:
    token = await new_link(platform, await new_approval(platform, allow_link=True))
    return Call(f"/approve/{token}", {"decision": "approve"}, actor="link")


@row("POST", "/api/approvals/{approval_id}/reject", "reject")
async def _reject(platform: RunningPlatform) -> Call:
    return Call(f"/api/approvals/{await new_approval(platform)}/reject", {"comment": "no"})


async def queued_run(platform: RunningPlatform) -> str:
    """The id of a run that waits; there is no engine here."""
    url = f"/api/workflows/{await workflow(platform)}/run"
    answer = await platform.http.post(url, json={"wait": False})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])
