"""Change requests, in environments that require approvals."""

from typing import Any

from harness.changes.rows import Call, row
from harness.people import new_session, new_user, new_workspace, sent
from harness.platform import RunningPlatform


@row("POST", "/api/change-requests/{request_id}/comments")
async def _comment_request(platform: RunningPlatform) -> Call:
    """Comments are stored with the request."""
    return await _about_request(platform, "comments", comment="Why?")


@row("POST", "/api/change-requests/{request_id}/approve", "approve")
async def _approve_request(platform: RunningPlatform) -> Call:
    return await _about_request(platform, "approve")


@row("POST", "/api/change-requests/{request_id}/reject", "reject")
async def _reject_request(platform: RunningPlatform) -> Call:
    return await _about_request(platform, "reject", comment="No.")


@row("POST", "/api/change-requests/{request_id}/withdraw", "withdraw")
async def _withdraw_request(platform: RunningPlatform) -> Call:
    return Call(f"/api/change-requests/{await change_request(platform)}/withdraw")


@row("POST", "/api/change-requests/{request_id}/refresh", "refresh")
async def _refresh_request(platform: RunningPlatform) -> Call:
    return Call(f"/api/change-requests/{await change_request(platform)}/refresh")


@row("POST", "/api/change-requests/{request_id}/schedule", "schedule")
async def _schedule_request(platform: RunningPlatform) -> Call:
    body = {"apply_at": "2099-03-16T07:00:00Z"}
    return Call(f"/api/change-requests/{await change_request(platform)}/schedule", body)


@row("POST", "/api/change-requests/{request_id}/apply", "publish", "bypass")
async def _apply_request(platform: RunningPlatform) -> Call:
    body = {"bypass": True, "reason": "It can't wait."}
    return Call(f"/api/change-requests/{await change_request(platform)}/apply", body)


async def _about_request(platform: RunningPlatform, action: str, **body: Any) -> Call:
    """By another person than its author."""
    admin = await new_user(platform, "admin")
    url = f"/api/change-requests/{await change_request(platform)}/{action}"
    return Call(url, body, await new_session(platform, admin), admin["username"])


async def change_request(platform: RunningPlatform) -> str:
    """The id of a request that the static token proposed, in its own workspace."""
    workspace = await new_workspace(platform)
    made = await platform.create(env="prod", content="one", workspace=workspace)
    await platform.publish(made["id"])
    await ask_for_approvals(platform, workspace)
    await platform.http.put(f"/api/prompts/{made['id']}", json={"content": "two"})
    answer = await platform.http.post("/api/prompts/publish", json={"id": made["id"]})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["change_request"]["id"])


async def ask_for_approvals(
    platform: RunningPlatform,
    workspace: str,
    env: str = "prod",
    *,
    approvals: int = 1,
    **settings: Any,
) -> None:
    """Let an environment of a workspace require approvals; an admin needs no approval for that."""
    guarded = {"approvals": approvals, "allow_bypass": True, **settings}
    url = f"/api/workspaces/{workspace}/environments"
    rows = [
        {"name": row["name"], **(guarded if row["name"] == env else {})}
        for row in sent(await platform.http.get(url))
    ]
    sent(await platform.http.put(url, json={"environments": rows}))
