"""Whole prompts, by fetch and in the snapshot of an environment."""

import asyncio
from pathlib import Path

import httpx
import pytest

from harness.people import new_api_key, new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.rollouts import published, spread, variants
from promptops_platform.access.actor import SYSTEM
from promptops_platform.changes.repository import current

MESSAGES = [
    {"role": "system", "content": "Answer {{who}} in {"},
    {"role": "user", "content": "{language}} {{question}}"},
]
FIELDS = ["key", "version", "env", "model", "content", "kind", "messages", "config", "variables"]


async def snapshot(
    platform: RunningPlatform, headers: dict[str, str] | None = None, **query: str
) -> httpx.Response:
    return await platform.http.get("/api/sdk/snapshot", params=query, headers=headers)


async def test_a_whole_text(platform: RunningPlatform) -> None:
    prompt = await platform.create(
        env="prod", content="Hello {{who}}!", model="m", config={"temperature": 0}
    )
    answer = await platform.fetch(prompt["key"], full="true")
    assert answer.json() == {
        "key": prompt["key"],
        "version": "v1",
        "env": "prod",
        "model": "m",
        "content": "Hello {{who}}!",
        "kind": "text",
        "messages": [],
        "config": {"temperature": 0},
        "variables": ["who"],
        "rollout": None,
    }
    feed = platform.platform.changes.feed
    assert answer.headers["x-promptops-revision"] == str(feed.applied)
    assert answer.headers["x-promptops-epoch"] == feed.epoch
    plain = await platform.fetch(prompt["key"])
    assert "x-promptops-revision" not in plain.headers
    assert plain.headers["etag"] != answer.headers["etag"]


async def test_a_whole_chat_has_the_variables_of_its_messages(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", messages=MESSAGES)
    whole = (await platform.fetch(prompt["key"], full="true")).json()
    assert (whole["kind"], whole["messages"]) == ("chat", MESSAGES)
    assert whole["variables"] == ["who", "question"]
    assert sorted(whole) == sorted([*FIELDS, "rollout"])


async def test_a_whole_rollout_has_all_its_variants(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one {{a}}", "two {{b}}")
    await spread(platform, prompt, variants=variants(9000, 1000), salt="pepper")
    whole = (await platform.fetch(prompt["key"], full="true")).json()
    assert whole["rollout"]["salt"] == "pepper"
    first, second = whole["rollout"]["variants"]
    assert [first["name"], first["weight"], first["version"]] == ["one", 9000, "v1"]
    assert [second["model"], second["content"], second["variables"]] == ["m2", "two {{b}}", ["b"]]
    assert list(first) == ["name", "weight", "version", *FIELDS[3:]]


async def test_that_there_is_no_prompt_is_of_a_revision_too(platform: RunningPlatform) -> None:
    missing = await platform.fetch("not-there", full="true")
    assert missing.status_code == 404
    assert "error" in missing.json()
    feed = platform.platform.changes.feed
    assert missing.headers["x-promptops-revision"] == str(feed.applied)
    assert missing.headers["x-promptops-epoch"] == feed.epoch


async def test_an_unchanged_whole_is_not_sent_again(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    url = f"/api/sdk/prompts/{prompt['key']}?full=true"
    etag = (await platform.http.get(url)).headers["etag"]
    await platform.create(env="prod")
    unchanged = await platform.http.get(url, headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["x-promptops-revision"] == str(platform.platform.changes.feed.applied)
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "new"})
    changed = await platform.http.get(url, headers={"if-none-match": etag})
    assert changed.json()["content"] == "new"


@pytest.mark.parametrize(
    "query",
    [
        {"full": "perhaps"},
        {"full": "true", "subject": "s"},
        {"full": "true", "explain": "true"},
        {"min_revision": "x"},
        {"min_revision": "-1"},
        {"min_revision": "9" * 30},
    ],
    ids=str,
)
async def test_what_can_not_be_asked_for_is_refused(
    platform: RunningPlatform, query: dict[str, str]
) -> None:
    prompt = await platform.create(env="prod")
    answer = await platform.fetch(prompt["key"], **query)
    assert answer.status_code == 400
    assert list(query)[-1] in answer.json()["error"]


async def test_a_fetch_waits_for_its_revision(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="old")
    # Of the database: on a busy machine the feed may not have applied the creation itself yet.
    async with platform.platform.database.read() as transaction:
        created, _ = await current(transaction.session)
    next_revision = str(created + 1)
    fetching = asyncio.create_task(
        platform.fetch(prompt["key"], full="true", min_revision=next_revision)
    )
    snapping = asyncio.create_task(snapshot(platform, env="prod", min_revision=next_revision))
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "new"})
    assert (await fetching).json()["content"] == "new"
    assert int((await snapping).headers["x-promptops-revision"]) > created


async def test_a_revision_that_does_not_come_is_unavailable(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    late, other = await asyncio.gather(
        platform.fetch(prompt["key"], min_revision=str(2**40)),
        platform.fetch(prompt["key"], min_revision=str(2**40), epoch="another"),
    )
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")
    assert other.status_code == 200, "of another epoch it says nothing"


async def test_a_snapshot_has_what_each_fetch_answers(platform: RunningPlatform) -> None:
    env = "stage-of-snapshots"
    prompt = await published(platform, "one {{a}}", "two {{b}}", env=env)
    await spread(platform, prompt, variants=variants(5000, 5000))
    await platform.create("zz" + new_key(), env=env, messages=MESSAGES)
    await platform.create(env="test")
    answer = await snapshot(platform, env=env)
    body = answer.json()
    assert list(body) == ["epoch", "revision", "env", "prompts"]
    feed = platform.platform.changes.feed
    assert (body["epoch"], body["revision"], body["env"]) == (feed.epoch, feed.applied, env)
    keys = [prompt["key"] for prompt in body["prompts"]]
    assert len(keys) == 2
    assert keys == sorted(keys)
    for entry in body["prompts"]:
        assert entry == (await platform.fetch(entry["key"], env, full="true")).json()
    assert answer.headers["content-length"] == str(len(answer.content))


async def test_an_unchanged_snapshot_is_not_sent_again(platform: RunningPlatform) -> None:
    env = "stage-unchanged"
    prompt = await platform.create(env=env)
    first = await snapshot(platform, env=env)
    sent_back = {"if-none-match": first.headers["etag"]}
    await platform.create(env="test")
    unchanged = await snapshot(platform, sent_back, env=env)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["x-promptops-revision"] == str(platform.platform.changes.feed.applied)
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    assert (await snapshot(platform, sent_back, env=env)).json()["prompts"] == []


async def test_a_snapshot_is_built_once_for_all_who_see_the_same(
    platform: RunningPlatform,
) -> None:
    await platform.create(env="prod")
    answers = platform.platform.serving.environment_answers
    snapshots = await asyncio.gather(*(answers.answer(SYSTEM, "prod", None) for _ in range(5)))
    assert all(snapshot_part.prompts is snapshots[0].prompts for snapshot_part in snapshots)


async def test_a_snapshot_holds_what_the_caller_may_fetch(platform: RunningPlatform) -> None:
    key, env = new_key(), "stage-seen"
    restricted = await new_workspace(platform, "restricted")
    hidden = await platform.create(env=env, workspace=restricted)
    mine = await platform.create(key, env=env, workspace=restricted, content="inner")
    await platform.create(key, env=env, content="outer")
    keys = {
        "open": await new_api_key(platform),
        "inner": await new_api_key(platform, workspace=restricted),
        "limited": await new_api_key(platform, environments=["prod"]),
    }
    contents = {}
    for name, token in keys.items():
        async with platform.client(token) as client:
            answer = await client.get("/api/sdk/snapshot", params={"env": env})
            contents[name] = answer.status_code, answer.json()
            foreign = await client.get(
                "/api/sdk/snapshot", params={"env": "prod", "workspace": restricted}
            )
            assert foreign.status_code == (200 if name == "inner" else 404)
    assert [prompt["content"] for prompt in contents["open"][1]["prompts"]] == ["outer"]
    inner = {prompt["key"]: prompt["content"] for prompt in contents["inner"][1]["prompts"]}
    assert inner == {mine["key"]: "inner", hidden["key"]: ""}
    assert contents["limited"][0] == 403
    everything = sent_keys(await snapshot(platform, env=env))
    assert everything == sorted([key, hidden["key"]])


def sent_keys(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return [prompt["key"] for prompt in answer.json()["prompts"]]


async def test_a_large_snapshot_comes_whole(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """Of many chunks, read by somebody who is slower than the server."""
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        text = "x" * 250_000
        prompts = [await platform.create(env="prod", content=text) for _ in range(12)]
        assert sent_keys(await snapshot(platform)) == sorted(prompt["key"] for prompt in prompts)
        sent(await platform.http.put(f"/api/prompts/{prompts[0]['id']}", json={"content": "y"}))
        changed = (await snapshot(platform)).json()["prompts"]
        assert [prompt["content"] for prompt in changed].count("y") == 1
