"""What is served changes through the gate only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from harness.changes.rows import Call, Route
from harness.changes.table import ROWS
from harness.definitions import KINDS, new_definition
from harness.people import new_session, new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key
from promptops_platform.definitions.approvals import ServedChange
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.errors import Conflict

# What a fetch or a run without a version would get, read past all services.
SERVED = (
    "SELECT id, env, published_id, CASE WHEN published_id IS NULL THEN content END FROM prompts",
    "SELECT prompt_id, enabled, CAST(variants AS TEXT), salt FROM rollouts WHERE enabled",
    "SELECT resource_id, env, version_id FROM served_definitions",
    "SELECT id, CAST(prompt AS TEXT) FROM agents WHERE id NOT IN"
    " (SELECT resource_id FROM served_definitions WHERE env = 'dev')",
    "SELECT id, CAST(steps AS TEXT) FROM workflows WHERE id NOT IN"
    " (SELECT resource_id FROM served_definitions WHERE env = 'dev')",
)
PROMPT, AGENT, WORKFLOW = (
    "/api/prompts/{prompt_id}",
    "/api/agents/{agent_id}",
    "/api/workflows/{workflow_id}",
)
# The routes that change what is served; each of them is stopped by a closed gate.
SERVING: set[Route] = {
    ("POST", "/api/prompts"),
    ("PUT", PROMPT),
    ("DELETE", PROMPT),
    ("POST", "/api/prompts/publish"),
    ("POST", "/api/prompts/rollback"),
    ("POST", f"{PROMPT}/promote"),
    ("PUT", f"{PROMPT}/rollout"),
    ("DELETE", f"{PROMPT}/rollout"),
    ("POST", "/api/change-requests/{request_id}/apply"),
    ("POST", "/api/sample"),
    ("DELETE", "/api/sample"),
    *(("POST", path.rsplit("/", 1)[0]) for path in (AGENT, WORKFLOW)),
    *(("PUT", path) for path in (AGENT, WORKFLOW)),
    *(("DELETE", path) for path in (AGENT, WORKFLOW)),
    *(
        ("POST", f"{path}/{action}")
        for path in (AGENT, WORKFLOW)
        for action in ("publish", "rollback", "promote")
    ),
}
# It tries out what it proposes, and changes nothing that is served.
TRYING: set[Route] = {("POST", "/api/change-requests/{request_id}/refresh")}


class GateClosed(Conflict):
    """A later gate has refused the change."""

    code = "gate_closed"


@contextmanager
def closed_gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ServedChange]]:
    """Refuses every change; holds those that it refused."""
    refused: list[ServedChange] = []

    def refuse(_gate: ServedGate, change: ServedChange, *_rest: Any, **_more: Any) -> None:
        refused.append(change)
        raise GateClosed("the gate is closed")

    with monkeypatch.context() as patch:
        patch.setattr(ServedGate, "admit", refuse)
        yield refused


async def served(platform: RunningPlatform) -> list[set[tuple[Any, ...]]]:
    async with platform.platform.database.read() as transaction:
        return [
            {tuple(row) for row in await transaction.session.execute(text(query))}
            for query in SERVED
        ]


async def send(platform: RunningPlatform, route: Route, call: Call) -> int:
    async with platform.client(call.token) as anonymous:
        client = anonymous if call.token else platform.http
        return (await client.request(route[0], call.path, json=call.body)).status_code


@pytest.mark.parametrize("route", ROWS, ids=" ".join)
async def test_a_closed_gate_stops_each_change_of_what_is_served(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    call = await ROWS[route].prepare(platform)
    before = await served(platform)
    with closed_gate(monkeypatch) as refused:
        status = await send(platform, route, call)
    assert await served(platform) == before
    assert bool(refused) == (route in SERVING | TRYING)
    if route not in SERVING:
        return
    assert status == 409
    assert await send(platform, route, call) == call.status
    assert await served(platform) != before, "the test sees what is served"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_gate_is_told_what_changes(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    await definition.edit("two")
    with closed_gate(monkeypatch) as refused:
        for action, body in (
            ("publish", {}),
            ("rollback", {"version": 1}),
            ("promote", {"env": "prod"}),
        ):
            assert (await definition.post(action, **body)).status_code == 409
        planned = await definition.post("promote", env="prod", publish=False)
        assert planned.status_code == 200
        assert (await definition.edit("three"))["version"] == 3, "a draft passes no gate"
    refused_changes = [
        (change.action, change.env, change.before, change.after) for change in refused
    ]
    assert refused_changes == [
        ("publish", "dev", "1", "2"),
        ("rollback", "dev", "1", "1"),
        ("promote", "prod", None, "1"),
    ]
    assert {(change.kind, change.resource_id, change.key) for change in refused} == {
        (kind, definition.id, definition.key)
    }
    assert [row["version"] for row in await definition.versions()] == [1]


@pytest.mark.parametrize("kind", KINDS)
async def test_only_admins_change_what_a_protected_environment_serves(
    platform: RunningPlatform, kind: str
) -> None:
    workspace = await new_workspace(platform)
    definition = await new_definition(platform, kind, workspace=workspace)
    await definition.publish(env="prod")
    environments = [{"name": "dev"}, {"name": "prod", "protected": True}]
    url = f"/api/workspaces/{workspace}/environments"
    sent(await platform.http.put(url, json={"environments": environments}))
    token = await new_session(platform, await new_user(platform, "editor"))
    async with platform.client(token) as editor:
        for action, body in (
            ("publish", {"env": "prod"}),
            ("rollback", {"version": 1, "env": "prod"}),
            ("promote", {"env": "prod", "version": 1}),
        ):
            answer = await editor.post(f"{definition.url}/{action}", json=body)
            assert answer.status_code == 403, (action, answer.text)
            assert answer.json()["error"] == "forbidden: requires admin role"
        answer = await editor.delete(definition.url)
        assert answer.status_code == 403
        assert (await editor.post(f"{definition.url}/publish")).status_code == 200
        plan = {"env": "prod", "publish": False}
        assert (await editor.post(f"{definition.url}/promote", json=plan)).status_code == 200
    left_out = await platform.http.put(url, json={"environments": [{"name": "dev"}]})
    assert left_out.status_code == 409
    assert "published agents or workflows use" in left_out.json()["error"]
    assert (await definition.read())["served"] == {"dev": 1, "prod": 1}


async def test_a_version_of_a_prompt_is_made_without_being_served(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(new_key(), env="prod", content="one")
    url = f"/api/prompts/{prompt['id']}"
    await platform.publish(prompt["id"])
    await platform.http.put(url, json={"content": "two"})
    made = sent(await platform.http.post(f"{url}/versions", json={"note": "for Monday"}))
    assert (made["version"], made["note"], made["content"]) == ("v2", "for Monday", "two")
    assert sent(await platform.http.post(f"{url}/versions")) == made, "the same content"
    assert (await platform.fetch(prompt["key"])).json()["version"] == "v1"
    await platform.http.put(url, json={"content": "three"})
    spread = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 0}
    sent(await platform.http.put(f"{url}/rollout", json=spread))
    assert (await platform.fetch(prompt["key"])).json()["content"] == "two"
    sent(await platform.http.delete(f"{url}/rollout"))
    body = {"id": prompt["id"], "version": "v2", "note": "now"}
    published = sent(await platform.http.post("/api/prompts/publish", json=body))
    assert published["id"] == made["id"]
    assert (await platform.fetch(prompt["key"])).json()["content"] == "two"
    draft = sent(await platform.http.get(url))
    assert (draft["content"], draft["published_version"], draft["draft_ahead"]) == (
        "three",
        "v2",
        True,
    )
    unknown = await platform.http.post("/api/prompts/publish", json={**body, "version": "v9"})
    assert unknown.status_code == 404
    assert "'v9'" in unknown.json()["error"]
