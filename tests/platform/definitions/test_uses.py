"""Deleting what others use."""

from typing import Any

import pytest

from harness.definitions import KINDS, Definition, new_definition
from harness.people import new_api_key, sent
from harness.platform import RunningPlatform, new_key

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def user_of(platform: RunningPlatform, definition: Definition, **more: Any) -> Definition:
    """A workflow with a step, within a map, that runs the definition."""
    step = {"type": definition.kind, "key": definition.key}
    steps = [
        {"name": "list", "type": "render", "template": "[1]"},
        {"name": "each", "type": "map", "over": "{{input}}", "as": "item", "step": step},
    ]
    return await new_definition(platform, "workflow", steps=[*steps, *more.pop("more_steps", ())])


async def test_what_a_draft_or_a_served_version_uses_is_not_deleted(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    user = await user_of(platform, definition)
    for where in (["draft"], ["draft", "prod"], ["prod"]):
        if "prod" in where:
            await user.publish(env="prod")
        if where == ["prod"]:
            await user.edit("nothing of it")
        answer = await platform.http.delete(definition.url)
        assert answer.status_code == 409, answer.text
        body = answer.json()
        assert body["code"] == "in_use"
        assert body["used_by"] == [
            {"kind": "workflow", "id": user.id, "key": user.key, "where": where}
        ]
        assert f"workflow {user.key!r}" in body["error"]
        assert "?force=true" in body["error"]
        if where == ["draft", "prod"]:
            user_before = await user.read()
            assert user_before["served"] == {"prod": 1}
    await user.publish(env="prod")
    assert (await platform.http.delete(definition.url)).status_code == 200


async def test_force_deletes_it_all_the_same(platform: RunningPlatform, kind: str) -> None:
    definition = await new_definition(platform, kind)
    await user_of(platform, definition)
    assert (await platform.http.delete(f"{definition.url}?force=true")).json() == {"ok": True}


async def test_users_that_a_key_may_not_see_are_only_counted(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    reference = {"name": "s", "type": "render", "template": "x"}
    reference["prompt_ref"] = {"key": new_key(), "env": "prod"}  # type: ignore[assignment]
    user = await user_of(platform, definition, more_steps=[reference])
    token = await new_api_key(platform, environments=["dev"], role="editor")
    async with platform.client(token) as limited:
        answer = await limited.delete(definition.url)
    assert answer.status_code == 409
    assert (answer.json()["used_by"], answer.json()["hidden_users"]) == ([], 1)
    assert user.key not in answer.text
    assert "1 more" in answer.json()["error"]
    assert sent(await platform.http.get(definition.url))["id"] == definition.id
