"""A table of all routes that change something, each with a change to make and what it enters."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from harness.approvals import new_approval, new_link
from harness.callers import new_api_key
from harness.people import PASSWORD, new_session, new_user, new_workspace, sent
from harness.places import TRIGGER
from harness.platform import RunningPlatform, new_key
from harness.triggers import failed_delivery
from promptops_flows.protocol.engine_protocol import Began, encode
from promptops_platform.access.actor import STATIC_TOKEN
from promptops_platform.ids import new_id
from promptops_platform.runlog.under_way import UNCLAIMED

OTHER_PASSWORD = "another password for tests"
STEP_SECRET = "sk-of-a-step"
CONNECTION_SECRET = "sk-of-a-connection"
ROLLOUT = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 20}
STEPS = [{"type": "model", "provider": "mock", "api_key": STEP_SECRET}]
WORKER = {"name": "w", "pool": "gpu", "version": "1", "concurrency": 1}


class Call(NamedTuple):
    """A request that is about to be sent; without a `token` by the static one, of `admin`."""

    path: str
    body: dict[str, Any] | None = None
    token: str | None = None
    actor: str = "admin"
    status: int = 200


class Row(NamedTuple):
    """What a route enters, by action, and what prepares a call of it."""

    actions: tuple[str, ...]
    prepare: Callable[[RunningPlatform], Awaitable[Call]]


Route = tuple[str, str]
ROWS: dict[Route, Row] = {}
Preparing = Callable[[RunningPlatform], Awaitable[Call]]


def row(method: str, path: str, *actions: str) -> Callable[[Preparing], Preparing]:
    def add(prepare: Preparing) -> Preparing:
        ROWS[method, path] = Row(actions, prepare)
        return prepare

    return add


@row("POST", "/api/login", "login")
async def _login(platform: RunningPlatform) -> Call:
    name = (await new_user(platform, "viewer"))["username"]
    return Call("/api/login", {"username": name, "password": PASSWORD}, actor=name)


@row("POST", "/api/session", "login")
async def _console_login(platform: RunningPlatform) -> Call:
    name = (await new_user(platform, "viewer"))["username"]
    return Call("/api/session", {"username": name, "password": PASSWORD}, actor=name)


@row("POST", "/api/logout", "logout")
async def _logout(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call("/api/logout", None, await new_session(platform, user), user["username"])


@row("PUT", "/api/me/password", "update")
async def _own_password(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    return Call("/api/me/password", body, await new_session(platform, user), user["username"])


@row("DELETE", "/api/me/sessions", "logout")
async def _end_sessions(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call("/api/me/sessions", None, await new_session(platform, user), user["username"])


@row("POST", "/api/users", "create")
async def _create_user(_platform: RunningPlatform) -> Call:
    return Call("/api/users", {"username": new_key(), "password": PASSWORD, "role": "editor"})


@row("PUT", "/api/users/{user_id}", "update")
async def _update_user(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call(f"/api/users/{user['id']}", {"password": OTHER_PASSWORD, "role": "editor"})


@row("DELETE", "/api/users/{user_id}", "delete")
async def _delete_user(platform: RunningPlatform) -> Call:
    return Call(f"/api/users/{(await new_user(platform, 'viewer'))['id']}")


@row("POST", "/api/keys", "create")
async def _create_key(_platform: RunningPlatform) -> Call:
    return Call("/api/keys", {"name": new_key(), "workspace": "default", "environments": ["dev"]})


@row("DELETE", "/api/keys/{key_id}", "revoke")
async def _revoke_key(platform: RunningPlatform) -> Call:
    made = sent(await platform.http.post("/api/keys", json={"name": new_key()}))
    return Call(f"/api/keys/{made['id']}")


@row("POST", "/api/keys/{key_id}/adopt", "adopt")
async def _adopt_key(platform: RunningPlatform) -> Call:
    maker = await new_user(platform, "admin")
    async with platform.client(await new_session(platform, maker)) as client:
        made = sent(await client.post("/api/keys", json={"name": new_key()}))
    return Call(f"/api/keys/{made['id']}/adopt", {})


@row("POST", "/api/workspaces", "create")
async def _create_workspace(_platform: RunningPlatform) -> Call:
    return Call("/api/workspaces", {"name": new_key()})


@row("PUT", "/api/workspaces/{workspace_id}", "update")
async def _update_workspace(platform: RunningPlatform) -> Call:
    return Call(f"/api/workspaces/{await new_workspace(platform)}", {"name": "Renamed"})


@row("DELETE", "/api/workspaces/{workspace_id}", "delete")
async def _delete_workspace(platform: RunningPlatform) -> Call:
    return Call(f"/api/workspaces/{await new_workspace(platform)}")


@row("PUT", "/api/workspaces/{workspace_id}/members/{user}", "update")
async def _put_member(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, viewer=user)
    return Call(f"/api/workspaces/{workspace}/members/{user['id']}", {"role": "editor"})


@row("DELETE", "/api/workspaces/{workspace_id}/members/{user}", "delete")
async def _remove_member(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, viewer=user)
    return Call(f"/api/workspaces/{workspace}/members/{user['id']}")


@row("PUT", "/api/workspaces/{workspace_id}/environments", "update")
async def _replace_environments(platform: RunningPlatform) -> Call:
    url = f"/api/workspaces/{await new_workspace(platform)}/environments"
    return Call(url, {"environments": [{"name": "prod", "protected": True}]})


@row("PUT", "/api/prompts/{prompt_id}/rollout", "rollout")
async def _set_rollout(platform: RunningPlatform) -> Call:
    prompt = await twice_published(platform)
    return Call(f"/api/prompts/{prompt['id']}/rollout", ROLLOUT)


@row("DELETE", "/api/prompts/{prompt_id}/rollout", "rollout")
async def _delete_rollout(platform: RunningPlatform) -> Call:
    url = f"/api/prompts/{(await twice_published(platform))['id']}/rollout"
    sent(await platform.http.put(url, json=ROLLOUT))
    return Call(url)


@row("POST", "/api/prompts", "create")
async def _create_prompt(_platform: RunningPlatform) -> Call:
    return Call("/api/prompts", {"key": new_key(), "content": "one"})


@row("PUT", "/api/prompts/{prompt_id}", "update")
async def _update_prompt(platform: RunningPlatform) -> Call:
    prompt = await platform.create(content="one")
    return Call(f"/api/prompts/{prompt['id']}", {"content": "two"})


@row("DELETE", "/api/prompts/{prompt_id}", "delete")
async def _delete_prompt(platform: RunningPlatform) -> Call:
    return Call(f"/api/prompts/{(await platform.create())['id']}")


@row("POST", "/api/prompts/publish", "publish")
async def _publish(platform: RunningPlatform) -> Call:
    return Call("/api/prompts/publish", {"id": (await platform.create(content="one"))["id"]})


@row("POST", "/api/prompts/{prompt_id}/versions", "version")
async def _make_version(platform: RunningPlatform) -> Call:
    return Call(f"/api/prompts/{(await platform.create(content='one'))['id']}/versions", {})


@row("POST", "/api/prompts/rollback", "rollback")
async def _rollback(platform: RunningPlatform) -> Call:
    prompt = await twice_published(platform)
    return Call("/api/prompts/rollback", {"id": prompt["id"], "version": "v1"})


@row("POST", "/api/prompts/{prompt_id}/promote", "promote")
async def _promote(platform: RunningPlatform) -> Call:
    """Into an environment that has a row of the key already; a new one has nothing before it."""
    prompt = await platform.create(content="one")
    await platform.create(prompt["key"], env="test", content="other")
    return Call(f"/api/prompts/{prompt['id']}/promote", {"env": "test", "publish": True})


@row("POST", "/api/workflows", "create")
async def _create_workflow(_platform: RunningPlatform) -> Call:
    return Call("/api/workflows", {"key": new_key(), "steps": STEPS})


@row("PUT", "/api/workflows/{workflow_id}", "update")
async def _update_workflow(platform: RunningPlatform) -> Call:
    steps = [{"type": "model", "provider": "mock", "api_key": f"{STEP_SECRET}-2"}]
    return Call(f"/api/workflows/{await workflow(platform)}", {"steps": steps})


@row("DELETE", "/api/workflows/{workflow_id}", "delete")
async def _delete_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}")


@row("POST", "/api/triggers", "create")
async def _create_trigger(_platform: RunningPlatform) -> Call:
    return Call("/api/triggers", {"key": new_key(), **TRIGGER})


@row("PUT", "/api/triggers/{trigger_id}", "update")
async def _update_trigger(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}", {"enabled": False})


@row("POST", "/api/triggers/{trigger_id}/rotate-secret", "rotate")
async def _rotate_secret(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}/rotate-secret")


@row("DELETE", "/api/triggers/{trigger_id}", "delete")
async def _delete_trigger(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}")


@row("POST", "/api/triggers/{trigger_id}/deliveries/{delivery_id}/resend", "resend")
async def _resend(platform: RunningPlatform) -> Call:
    made = await trigger(platform)
    delivery = await failed_delivery(platform, made)
    return Call(f"/api/triggers/{made}/deliveries/{delivery}/resend", status=202)


@row("POST", "/api/schedules", "create")
async def _create_schedule(platform: RunningPlatform) -> Call:
    return Call("/api/schedules", await _daily(platform))


@row("PUT", "/api/schedules/{schedule_id}", "update")
async def _update_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}", {"cron": "0 4 * * *"})


@row("DELETE", "/api/schedules/{schedule_id}", "delete")
async def _delete_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}")


@row("POST", "/api/schedules/{schedule_id}/pause", "pause")
async def _pause_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}/pause")


@row("POST", "/api/schedules/{schedule_id}/resume", "resume")
async def _resume_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform, paused=True)}/resume")


@row("POST", "/api/schedules/{schedule_id}/run", "run")
async def _run_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}/run", status=202)


@row("POST", "/api/providers", "create")
async def _create_connection(_platform: RunningPlatform) -> Call:
    body = {"name": new_key(), "kind": "mock", "api_key": CONNECTION_SECRET}
    return Call("/api/providers", body)


@row("PUT", "/api/providers/{connection_id}", "update")
async def _update_connection(platform: RunningPlatform) -> Call:
    body = {"model": "another", "api_key": f"{CONNECTION_SECRET}-2"}
    return Call(f"/api/providers/{await connection(platform)}", body)


@row("DELETE", "/api/providers/{connection_id}", "delete")
async def _delete_connection(platform: RunningPlatform) -> Call:
    return Call(f"/api/providers/{await connection(platform)}")


@row("POST", "/api/providers/{connection_id}/test", "test")
async def _test_connection(platform: RunningPlatform) -> Call:
    return Call(f"/api/providers/{await connection(platform)}/test")


@row("POST", "/api/workflows/{workflow_id}/run")
async def _run_workflow(platform: RunningPlatform) -> Call:
    """A run changes nothing that others see; it has a log of its own. Here no engine takes it."""
    url = f"/api/workflows/{await workflow(platform)}/run"
    return Call(url, {"api_key": STEP_SECRET}, status=503)


@row("POST", "/api/runs/{run_id}/cancel")
async def _cancel_run(platform: RunningPlatform) -> Call:
    """The run log says who did it."""
    return Call(f"/api/runs/{await queued_run(platform)}/cancel", {}, status=202)


@row("POST", "/api/runs/{run_id}/retry")
async def _retry_run(platform: RunningPlatform) -> Call:
    """As a run itself."""
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


@row("POST", "/api/playground/run")
async def _run_playground(_platform: RunningPlatform) -> Call:
    """As a run of a workflow, it changes nothing that others see. Here the provider fails."""
    body = {"content": "Hello", "model": "mock-fail-overloaded", "api_key": STEP_SECRET}
    return Call("/api/playground/run", body, status=502)


@row("POST", "/api/agents", "create")
async def _create_agent(_platform: RunningPlatform) -> Call:
    return Call("/api/agents", {"key": new_key(), "prompt": "Hello"})


@row("PUT", "/api/agents/{agent_id}", "update")
async def _update_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}", {"prompt": "Good morning"})


@row("DELETE", "/api/agents/{agent_id}", "delete")
async def _delete_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}")


@row("POST", "/api/agents/{agent_id}/run")
async def _run_agent(platform: RunningPlatform) -> Call:
    """As with workflows."""
    url = f"/api/agents/{await agent(platform)}/run"
    return Call(url, {"api_key": STEP_SECRET}, status=503)


@row("POST", "/api/agents/{agent_id}/tools/try", "test")
async def _try_tool(platform: RunningPlatform) -> Call:
    """The tool's address is not allowed, so nothing is called."""
    tool = {"name": "look", "parameters": {"type": "object"}, "url": "https://tool.example.org/"}
    return Call(f"/api/agents/{await agent(platform)}/tools/try", {"tool": tool})


@row("POST", "/api/workflows/{workflow_id}/versions", "version")
async def _make_workflow_version(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/versions", {})


@row("POST", "/api/workflows/{workflow_id}/publish", "publish")
async def _publish_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/publish", {})


@row("POST", "/api/workflows/{workflow_id}/rollback", "rollback")
async def _rollback_workflow(platform: RunningPlatform) -> Call:
    """To a version that is not served."""
    url = f"/api/workflows/{await workflow(platform)}"
    sent(await platform.http.post(f"{url}/versions"))
    return Call(f"{url}/rollback", {"version": 1})


@row("POST", "/api/workflows/{workflow_id}/promote", "promote")
async def _promote_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/promote", {"env": "test"})


@row("POST", "/api/agents/{agent_id}/versions", "version")
async def _make_agent_version(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/versions", {})


@row("POST", "/api/agents/{agent_id}/publish", "publish")
async def _publish_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/publish", {})


@row("POST", "/api/agents/{agent_id}/rollback", "rollback")
async def _rollback_agent(platform: RunningPlatform) -> Call:
    """To a version that is not served."""
    url = f"/api/agents/{await agent(platform)}"
    sent(await platform.http.post(f"{url}/versions"))
    return Call(f"{url}/rollback", {"version": 1})


@row("POST", "/api/agents/{agent_id}/promote", "promote")
async def _promote_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/promote", {"env": "test"})


# A prompt with three versions, of which one is promoted; an agent, a workflow and a key.
@row("POST", "/api/sample", *["create"] * 4, *["update"] * 2, *["publish"] * 3, "promote")
async def _create_sample(platform: RunningPlatform) -> Call:
    return Call("/api/sample", {"workspace": await new_workspace(platform)})


@row("DELETE", "/api/sample", "delete", "delete", "delete", "delete", "revoke")
async def _delete_sample(platform: RunningPlatform) -> Call:
    workspace = await new_workspace(platform)
    sent(await platform.http.post("/api/sample", json={"workspace": workspace}))
    return Call(f"/api/sample?workspace={workspace}")


@row("POST", "/api/change-requests/{request_id}/comments")
async def _comment_request(platform: RunningPlatform) -> Call:
    """What is said stands at the request."""
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
    """By a person who has not proposed it."""
    admin = await new_user(platform, "admin")
    url = f"/api/change-requests/{await change_request(platform)}/{action}"
    return Call(url, body, await new_session(platform, admin), admin["username"])


async def change_request(platform: RunningPlatform) -> str:
    """The id of a request, proposed with the static token, in a workspace of its own."""
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
    """Let an environment of a workspace ask for approvals, which an admin may do without."""
    guarded = {"approvals": approvals, "allow_bypass": True, **settings}
    url = f"/api/workspaces/{workspace}/environments"
    rows = [
        {"name": row["name"], **(guarded if row["name"] == env else {})}
        for row in sent(await platform.http.get(url))
    ]
    sent(await platform.http.put(url, json={"environments": rows}))


@row("DELETE", "/api/agents/{agent_id}/conversations/{conversation_id}", "delete")
async def _delete_conversation(platform: RunningPlatform) -> Call:
    agent_id = await agent(platform)
    await remember(platform, agent_id, "chat-1")
    return Call(f"/api/agents/{agent_id}/conversations/chat-1")


@row("POST", "/api/worker/register")
async def _register_worker(platform: RunningPlatform) -> Call:
    """Which workers there are concerns nobody else; the log of each run says what they do."""
    key = await new_api_key(platform, role="worker")
    return Call("/api/worker/register", {**WORKER, "id": new_worker_id()}, key["key"])


@row("POST", "/api/worker/heartbeat")
async def _beat(platform: RunningPlatform) -> Call:
    worker_id, key = await registered_worker(platform)
    return Call("/api/worker/heartbeat", {**WORKER, "id": worker_id, "running": []}, key)


@row("POST", "/api/worker/leave")
async def _leave(platform: RunningPlatform) -> Call:
    worker_id, key = await registered_worker(platform)
    return Call("/api/worker/leave", {"worker": worker_id}, key)


@row("POST", "/api/worker/runs/{flow_run_id}/claim")
async def _claim(platform: RunningPlatform) -> Call:
    """A run changes nothing that others see, whoever executes it."""
    worker_id, key = await registered_worker(platform)
    _, flow_run_id = await offered_run(platform)
    return Call(f"/api/worker/runs/{flow_run_id}/claim", {"worker": worker_id}, key)


@row("POST", "/api/worker/runs/{run_id}/events")
async def _report(platform: RunningPlatform) -> Call:
    run_id, worker_id, key = await claimed_run(platform)
    events = [encode(Began()).decode()]
    body = {"worker": worker_id, "attempt": 1, "first": 1, "events": events}
    return Call(f"/api/worker/runs/{run_id}/events", body, key)


@row("POST", "/api/worker/runs/{run_id}/return")
async def _return(platform: RunningPlatform) -> Call:
    run_id, worker_id, key = await claimed_run(platform)
    return Call(f"/api/worker/runs/{run_id}/return", {"worker": worker_id, "attempt": 1}, key)


def new_worker_id() -> str:
    """As a worker makes it at its start."""
    return uuid.uuid4().hex


async def registered_worker(platform: RunningPlatform) -> tuple[str, str]:
    """The id of a worker that is known, and its key."""
    worker_id, key = new_worker_id(), (await new_api_key(platform, role="worker"))["key"]
    async with platform.client(key) as client:
        answer = await client.post("/api/worker/register", json={**WORKER, "id": worker_id})
    assert answer.status_code == 200, answer.text
    return worker_id, key


async def offered_run(platform: RunningPlatform) -> tuple[str, str]:
    """A run that waits in a pool, and its flow run; no engine tells Prefect of it here."""
    body = {"key": new_key(), "steps": STEPS, "pool": WORKER["pool"]}
    made = sent(await platform.http.post("/api/workflows", json=body))
    answer = await platform.http.post(f"/api/workflows/{made['id']}/run", json={"wait": False})
    run_id, flow_run_id = str(answer.json()["run_id"]), str(uuid.uuid4())
    waiting = platform.platform.runlog.under_way.of(UNCLAIMED)
    async with platform.platform.database.write() as transaction:
        await waiting.hand_over(transaction, run_id, flow_run_id, None)
    return run_id, flow_run_id


async def claimed_run(platform: RunningPlatform) -> tuple[str, str, str]:
    """A run, the worker that has it, and that one's key."""
    worker_id, key = await registered_worker(platform)
    run_id, flow_run_id = await offered_run(platform)
    async with platform.client(key) as client:
        url = f"/api/worker/runs/{flow_run_id}/claim"
        answer = await client.post(url, json={"worker": worker_id})
    assert answer.status_code == 200, answer.text
    return run_id, worker_id, key


async def agent(platform: RunningPlatform) -> str:
    """The id of a new agent."""
    body = {"key": new_key(), "prompt": "Hello"}
    return str(sent(await platform.http.post("/api/agents", json=body))["id"])


async def remember(platform: RunningPlatform, agent_id: str, name: str) -> None:
    """A conversation with one turn, as a run leaves it behind; no engine runs here."""
    rooms, run_id = platform.platform, new_id()
    async with rooms.database.write() as transaction:
        row = await rooms.agents.service.get(transaction, agent_id, actor=STATIC_TOKEN)
        seen = await rooms.agents.conversations.remembered(
            transaction, row, name, None, actor=STATIC_TOKEN
        )
        await rooms.agents.conversations.take(transaction, seen, run_id)
    async with rooms.database.write() as transaction:
        turns = [{"role": "user", "content": "Hello"}]
        await rooms.agents.conversations.end(transaction, seen, run_id, turns)


async def workflow(platform: RunningPlatform) -> str:
    """The id of a new workflow."""
    body = {"key": new_key(), "steps": STEPS}
    made = sent(await platform.http.post("/api/workflows", json=body))
    return str(made["id"])


async def _daily(platform: RunningPlatform) -> dict[str, Any]:
    key = new_key()
    sent(await platform.http.post("/api/workflows", json={"key": key, "steps": STEPS}))
    return {"key": new_key(), "workflow": key, "cron": "0 3 * * *"}


async def schedule(platform: RunningPlatform, **fields: Any) -> str:
    """The id of a new schedule."""
    body = {**await _daily(platform), **fields}
    return str(sent(await platform.http.post("/api/schedules", json=body))["id"])


async def queued_run(platform: RunningPlatform) -> str:
    """The id of a run that waits for its turn; no engine runs here."""
    url = f"/api/workflows/{await workflow(platform)}/run"
    answer = await platform.http.post(url, json={"wait": False})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


async def trigger(platform: RunningPlatform) -> str:
    """The id of a new trigger."""
    body = {"key": new_key(), **TRIGGER}
    return str(sent(await platform.http.post("/api/triggers", json=body))["id"])


async def connection(platform: RunningPlatform) -> str:
    """The id of a new connection with a key."""
    body = {"name": new_key(), "kind": "mock", "api_key": CONNECTION_SECRET}
    return str(sent(await platform.http.post("/api/providers", json=body))["id"])


async def twice_published(platform: RunningPlatform) -> dict[str, Any]:
    """A prompt with the versions v1 and v2."""
    prompt = await platform.create(env="prod", content="one")
    await platform.publish(prompt["id"])
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    await platform.publish(prompt["id"])
    return prompt
