"""Who uses a prompt: connected programs, agents and workflows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from harness.followers import Following, following
from harness.people import new_api_key, new_workspace, sent
from harness.platform import RunningPlatform, new_key, until_found

NOBODY = {"connected": 0, "current": 0, "silent": 0}


async def programs(platform: RunningPlatform, *keys: str, **query: str) -> dict[str, Any]:
    params = [("key", key) for key in keys] + list(query.items())
    answer = await platform.http.get("/api/prompt-keys/programs", params=params)
    found_lines = sent(answer)
    return {line.pop("key"): line for line in found_lines}


async def usage(platform: RunningPlatform, prompt_id: str) -> dict[str, Any]:
    body: dict[str, Any] = sent(await platform.http.get(f"/api/prompts/{prompt_id}/usage"))
    return body


async def counted(
    platform: RunningPlatform, key: str, connected: int, current: int, **query: str
) -> None:
    """Wait until so many programs hold the key, and so many have its newest change."""

    async def look() -> list[bool]:
        line = (await programs(platform, key, **query))[key]
        return [True] if (line["connected"], line["current"]) == (connected, current) else []

    await until_found(look)


@pytest.fixture
async def mailer(platform: RunningPlatform) -> AsyncIterator[Following]:
    async with following(platform, app="mailer", client="python", version="0.9") as program:
        yield program


async def test_a_program_counts_with_the_keys_it_holds(
    platform: RunningPlatform, mailer: Following
) -> None:
    held, other = (await platform.create(env="prod"))["key"], (await platform.create())["key"]
    assert await programs(platform, held, other, new_key()) == {held: NOBODY, other: NOBODY}
    await mailer.report_keys(held)
    await counted(platform, held, 1, 0)
    await mailer.has_applied(platform.platform.changes.feed.applied)
    await counted(platform, held, 1, 1)
    assert (await programs(platform, other))[other] == NOBODY
    assert (await programs(platform, held, env="prod"))[held]["connected"] == 1
    assert await programs(platform, held, env="dev") == {}


async def test_it_is_behind_until_it_has_applied_the_newest_change(
    platform: RunningPlatform, mailer: Following
) -> None:
    prompt = await platform.create(env="prod")
    await mailer.report_keys(prompt["key"])
    await mailer.has_applied(platform.platform.changes.feed.applied)
    await counted(platform, prompt["key"], 1, 1)
    await platform.publish(prompt["id"])
    await counted(platform, prompt["key"], 1, 0)
    # A change of another prompt is none of this one.
    published = platform.platform.changes.feed.applied
    await platform.create(env="prod")
    await mailer.has_applied(published)
    await counted(platform, prompt["key"], 1, 1)


async def test_programs_that_report_nothing_are_counted_apart(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    async with platform.watch(namespace="prod", app="of-old"):
        program_counts = (await programs(platform, prompt["key"]))[prompt["key"]]
        assert program_counts["silent"] >= 1
        assert (program_counts["connected"], program_counts["current"]) == (0, 0)
        groups = (await usage(platform, prompt["id"]))["programs"]
        assert [group["silent"] for group in groups if group["app"] == "of-old"] == [1]


async def test_consoles_hold_nothing(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    before = (await programs(platform, prompt["key"]))[prompt["key"]]
    async with platform.watch(client="console"):
        assert (await programs(platform, prompt["key"]))[prompt["key"]] == before


async def test_a_program_filters_the_list_and_is_a_facet(
    platform: RunningPlatform, mailer: Following
) -> None:
    workspace = await new_workspace(platform)
    held, other = new_key(), new_key()
    for key in (held, other):
        await platform.create(key, env="prod", workspace=workspace)
    async with following(platform, app="reader", workspace=workspace) as reader:
        await reader.report_keys(held, new_key())

        async def look() -> list[Any]:
            ask = {"workspace": workspace}
            data = sent(await platform.http.get("/api/prompt-keys/facets", params=ask))
            return list(data["client"])

        assert await until_found(look) == [{"value": "reader", "count": 1}]
        for client, expected in (("reader", [held]), ("nobody", [])):
            ask = {"workspace": workspace, "client": client}
            found_lines = sent(await platform.http.get("/api/prompt-keys", params=ask))
            assert [line["key"] for line in found_lines] == expected


async def test_usage_names_programs_agents_and_workflows(
    platform: RunningPlatform, mailer: Following
) -> None:
    prompt = await platform.create(env="prod")
    key = prompt["key"]
    await mailer.report_keys(key)
    await mailer.has_applied(platform.platform.changes.feed.applied)
    await counted(platform, key, 1, 1)
    reference = {"key": key, "env": "prod"}
    pinned = {"key": key, "env": "prod", "version": "v1"}
    await platform.publish(prompt["id"])
    http, agents = platform.http, []
    for number, ref in enumerate((reference, pinned, {"key": key, "env": "dev"})):
        body = {"key": f"{number}-{new_key()}", "name": f"Agent {number}", "prompt_ref": ref}
        agents.append(sent(await http.post("/api/agents", json=body)))
    plain = {"name": "s", "type": "transform", "op": "trim"}
    render = {"name": "r", "type": "render", "prompt": {"key": key, "env": "prod"}}
    steps = [plain, {**plain, "name": "t", "prompt_ref": {"key": key}}, render]
    workflow = sent(await http.post("/api/workflows", json={"key": new_key(), "steps": steps}))
    await http.post("/api/workflows", json={"key": new_key(), "steps": [plain]})
    uses = await usage(platform, prompt["id"])
    assert [(agent["id"], agent["version"]) for agent in uses["agents"]] == [
        (agents[0]["id"], None),
        (agents[1]["id"], "v1"),
    ]
    assert [(workflow["id"], workflow["steps"]) for workflow in uses["workflows"]] == [
        (workflow["id"], [2, 3])
    ]
    mine = [program for program in uses["programs"] if program["app"] == "mailer"]
    assert len(mine) == 1
    assert (mine[0]["client_type"], mine[0]["version"]) == ("python", "0.9")
    assert (mine[0]["connected"], mine[0]["current"]) == (1, 0)
    assert mine[0]["revision"] < platform.platform.changes.feed.applied


async def test_programs_of_other_environments_do_not_exist_for_a_limited_key(
    platform: RunningPlatform, mailer: Following
) -> None:
    prompt = await platform.create(env="prod")
    await platform.create(prompt["key"], env="dev")
    await mailer.report_keys(prompt["key"])
    await counted(platform, prompt["key"], 1, 0)
    for env, connected in (("prod", 1), ("dev", 0)):
        async with platform.client(await new_api_key(platform, environments=[env])) as http:
            answer = await http.get("/api/prompt-keys/programs", params={"key": prompt["key"]})
            assert [line["connected"] for line in sent(answer)] == [connected]
