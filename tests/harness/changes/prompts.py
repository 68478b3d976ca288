"""Prompts, their versions and rollouts, and the playground."""

from typing import Any

from harness.changes.rows import STEP_SECRET, Call, row
from harness.people import sent
from harness.platform import RunningPlatform, new_key

ROLLOUT = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 20}


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
    """Into an environment that already has the key; a new one would have no previous state."""
    prompt = await platform.create(content="one")
    await platform.create(prompt["key"], env="test", content="other")
    return Call(f"/api/prompts/{prompt['id']}/promote", {"env": "test", "publish": True})


@row("POST", "/api/playground/run")
async def _run_playground(_platform: RunningPlatform) -> Call:
    """Like a run of a workflow, it changes nothing for others. Here the provider fails."""
    body = {"content": "Hello", "model": "mock-fail-overloaded", "api_key": STEP_SECRET}
    return Call("/api/playground/run", body, status=502)


async def twice_published(platform: RunningPlatform) -> dict[str, Any]:
    """A prompt with the versions v1 and v2."""
    prompt = await platform.create(env="prod", content="one")
    await platform.publish(prompt["id"])
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    await platform.publish(prompt["id"])
    return prompt
