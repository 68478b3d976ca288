"""The wire contract's list of objects: one test for each, the fields in their order, `id` first.

More fields may follow; existing clients ignore them.
"""

from typing import Any

from harness.platform import RunningPlatform, new_key
from harness.rollouts import halves, published, spread
from promptops_platform.runlog.schemas import Run

WHEN = "created_at updated_at"


def begins_with(body: dict[str, Any], fields: str) -> None:
    """Its first fields are these, and what is a time has a zone."""
    names = fields.split()
    assert list(body)[: len(names)] == names
    for name in names:
        if name.endswith("_at"):
            assert body[name].endswith("Z")


async def listed(platform: RunningPlatform, path: str) -> dict[str, Any]:
    """The first of a list."""
    rows: list[dict[str, Any]] = (await platform.http.get(path)).json()["data"]
    return rows[0]


async def test_prompt(platform: RunningPlatform) -> None:
    prompt = await platform.create(tags="red, blue")
    names = f"id workspace_id key name content version env category tags model {WHEN}"
    begins_with(prompt, names)
    begins_with(await listed(platform, "/api/prompts"), names)
    assert prompt["tags"] == "red, blue"


async def test_version(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    version = await platform.publish(prompt["id"])
    begins_with(version, "id prompt_id key version env content created_at")


async def test_rollout(platform: RunningPlatform) -> None:
    rollout = await spread(platform, await published(platform, "one", "two"), **halves())
    begins_with(rollout, f"id key env enabled variant_a variant_b weight_a {WHEN}")


async def test_workflow(platform: RunningPlatform) -> None:
    answer = await platform.http.post("/api/workflows", json={"key": new_key()})
    begins_with(answer.json()["data"], f"id workspace_id key name description steps {WHEN}")


async def test_user(platform: RunningPlatform) -> None:
    begins_with(await listed(platform, "/api/users"), "id username role created_at")


async def test_workspace(platform: RunningPlatform) -> None:
    begins_with(await listed(platform, "/api/workspaces"), "id name slug created_at")


async def test_audit_entry(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one", "two")
    await spread(platform, prompt, **halves())
    back = {"id": prompt["id"], "version": "v1"}
    await platform.http.post("/api/prompts/rollback", json=back)
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    begins_with(
        await listed(platform, "/api/audit"),
        "id action resource resource_id key summary created_at",
    )
    query = {"key": prompt["key"], "limit": "200"}
    entries = (await platform.http.get("/api/audit", params=query)).json()["data"]
    assert {entry["action"] for entry in entries} == {
        "create",
        "update",
        "delete",
        "publish",
        "rollback",
        "rollout",
    }


def test_run_entry() -> None:
    """By its schema; the tests of workflows, which have a run engine, see one."""
    begins_with(
        dict.fromkeys(Run.model_fields, "Z"),
        "id source ref_key provider model prompt_tokens output_tokens latency_ms status error "
        "created_at",
    )


async def test_client_entry(platform: RunningPlatform) -> None:
    async with platform.watch():
        begins_with(
            await listed(platform, "/api/clients"),
            "id client_type app namespace remote_addr user_agent connected_at",
        )
