"""The sample: made and removed as a whole."""

from typing import Any

import pytest

from harness.people import new_workspace
from harness.platform import RunningPlatform

KEY = "sample.support-reply"


async def installed(platform: RunningPlatform, workspace: str) -> bool:
    answer = await platform.http.get("/api/sample", params={"workspace": workspace})
    assert answer.status_code == 200, answer.text
    state: bool = answer.json()["data"]["installed"]
    return state


async def contents(platform: RunningPlatform, workspace: str) -> dict[str, list[Any]]:
    """Everything that the sample consists of, by kind."""
    lists = {}
    for kind in ("prompts", "agents", "workflows", "keys"):
        answer = await platform.http.get(f"/api/{kind}", params={"workspace": workspace})
        lists[kind] = answer.json()["data"]
    return lists


async def test_it_has_a_history_in_two_environments_and_needs_no_key_of_a_provider(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform, "open")
    assert not await installed(platform, workspace)
    answer = await platform.http.post("/api/sample", params={"workspace": workspace}, json={})
    assert answer.status_code == 200, answer.text
    sample = answer.json()["data"]
    assert await installed(platform, workspace)
    rows = (await contents(platform, workspace))["prompts"]
    assert {row["env"] for row in rows} == {*sample["environments"], sample["env"]}
    assert len(rows) == 2
    first = next(row for row in rows if row["env"] == sample["environments"][0])
    versions = (await platform.http.get(f"/api/prompts/{first['id']}/versions")).json()["data"]
    assert [version["version"] for version in versions] == ["v3", "v2", "v1"]
    assert all(version["note"] for version in versions)
    async with platform.client(sample["api_key"]) as program:
        fetched = await program.get(f"/api/sdk/prompts/{KEY}", params={"env": sample["env"]})
    assert fetched.status_code == 200, fetched.text
    assert "four sentences" in fetched.text
    (agent,) = (await contents(platform, workspace))["agents"]
    assert (agent["provider"], agent["prompt_ref"]["env"]) == ("mock", sample["env"])
    (workflow,) = (await contents(platform, workspace))["workflows"]
    assert [step.get("provider", "mock") for step in workflow["steps"]] == ["mock"] * 3


async def test_it_goes_as_a_whole_and_can_come_again(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    first = (await platform.http.post(url, json={})).json()["data"]
    assert (await platform.http.post(url, json={})).status_code == 409
    assert (await platform.http.delete(url)).json() == {"ok": True, "kept": []}
    assert not any((await contents(platform, workspace)).values())
    async with platform.client(first["api_key"]) as program:
        refused = await program.get(f"/api/sdk/prompts/{KEY}", params={"env": first["env"]})
    assert refused.status_code == 401
    assert (await platform.http.delete(url)).status_code == 404
    assert (await platform.http.post(url, json={})).status_code == 200
    entries = (await platform.http.get("/api/audit", params={"limit": 100})).json()["data"]
    actions = {entry["action"] for entry in entries if entry["key"] in (KEY, "sample-support")}
    assert {"create", "publish", "promote", "delete"} <= actions


async def test_a_key_that_is_taken_leaves_nothing_behind(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    body = {"key": "sample-triage", "workspace": workspace, "steps": []}
    assert (await platform.http.post("/api/workflows", json=body)).status_code == 200
    refused = await platform.http.post(f"/api/sample?workspace={workspace}", json={})
    assert refused.status_code == 409
    assert "sample-triage" in refused.json()["error"]
    left = await contents(platform, workspace)
    assert {kind: len(rows) for kind, rows in left.items()} == {
        "prompts": 0,
        "agents": 0,
        "workflows": 1,
        "keys": 0,
    }


async def test_what_lost_the_tag_is_somebodys_own(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    await platform.http.post(url, json={})
    rows = (await contents(platform, workspace))["prompts"]
    await platform.http.put(f"/api/prompts/{rows[0]['id']}", json={"tags": ""})
    assert (await platform.http.delete(url)).status_code == 200
    left = (await contents(platform, workspace))["prompts"]
    assert [row["id"] for row in left] == [rows[0]["id"]]


async def test_an_edited_workflow_stays_and_is_named(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    sample = (await platform.http.post(url, json={})).json()["data"]
    path = f"/api/workflows/{sample['workflow_id']}"
    assert (await platform.http.put(path, json={"description": "Ours"})).status_code == 200
    kept = (await platform.http.delete(url)).json()["kept"]
    assert kept == [
        {
            "kind": "workflow",
            "id": sample["workflow_id"],
            "key": "sample-triage",
            "env": None,
            "reason": "edited",
        }
    ]
    left = await contents(platform, workspace)
    assert {kind: len(rows) for kind, rows in left.items()} == {
        "prompts": 0,
        "agents": 0,
        "workflows": 1,
        "keys": 0,
    }


@pytest.mark.parametrize("edit", [{"max_steps": 3}, {"name": "Ours"}, {"model": "mock-small"}])
async def test_an_edited_agent_stays_with_the_prompt_that_it_uses(
    platform: RunningPlatform, edit: dict[str, Any]
) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    sample = (await platform.http.post(url, json={})).json()["data"]
    path = f"/api/agents/{sample['agent_id']}"
    assert (await platform.http.put(path, json=edit)).status_code == 200
    kept = (await platform.http.delete(url)).json()["kept"]
    assert [(part["kind"], part["env"], part["reason"]) for part in kept] == [
        ("agent", None, "edited"),
        ("prompt", sample["env"], "used"),
    ]
    left = await contents(platform, workspace)
    assert [row["id"] for row in left["agents"]] == [sample["agent_id"]]
    (prompt,) = left["prompts"]
    assert (prompt["id"], prompt["env"], prompt["tags"]) == (kept[1]["id"], sample["env"], "")
    assert (left["workflows"], left["keys"]) == ([], [])
    assert not await installed(platform, workspace)


async def test_an_agent_of_somebody_else_under_the_samples_key_stays(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    sample = (await platform.http.post(url, json={})).json()["data"]
    assert (await platform.http.delete(f"/api/agents/{sample['agent_id']}")).status_code == 200
    body = {"key": "sample-support", "workspace": workspace, "prompt": "Help."}
    own = (await platform.http.post("/api/agents", json=body)).json()["data"]
    (part,) = (await platform.http.delete(url)).json()["kept"]
    assert (part["kind"], part["id"], part["reason"]) == ("agent", own["id"], "edited")


async def test_an_agent_that_a_workflow_uses_stays(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    url = f"/api/sample?workspace={workspace}"
    sample = (await platform.http.post(url, json={})).json()["data"]
    steps = [{"type": "agent", "key": "sample-support"}]
    body = {"key": "ours", "workspace": workspace, "steps": steps}
    made = await platform.http.post("/api/workflows", json=body)
    assert made.status_code == 200, made.text
    kept = (await platform.http.delete(url)).json()["kept"]
    assert [(part["kind"], part["key"], part["reason"]) for part in kept] == [
        ("agent", "sample-support", "used"),
        ("prompt", KEY, "used"),
    ]
    left = await contents(platform, workspace)
    assert [row["id"] for row in left["agents"]] == [sample["agent_id"]]
    assert [row["key"] for row in left["workflows"]] == ["ours"]
