"""What a fetch answers while a rollout is on."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.platform import (
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.postgres import Postgres
from harness.rollouts import halves, published, put, spread, variants
from promptops_platform.rollouts.bucketing import bucket_of, choice, ends_of


async def variant(platform: RunningPlatform, prompt: dict[str, Any], subject: str) -> str:
    variant_name: str = (await platform.fetch(prompt["key"], subject=subject)).json()["variant"]
    return variant_name


async def test_without_a_subject_each_fetch_draws(platform: RunningPlatform) -> None:
    prompt = await published(platform, "first", "second")
    await spread(platform, prompt, **halves())
    answers = [(await platform.fetch(prompt["key"])).json() for _ in range(64)]
    expected = {"key": prompt["key"], "env": "prod"}
    first = {**expected, "version": "v1", "model": "m1", "content": "first", "variant": "A"}
    second = {**expected, "version": "v2", "model": "m2", "content": "second", "variant": "B"}
    assert all(answer in (first, second) for answer in answers)
    assert first in answers
    assert second in answers


async def test_a_subject_keeps_its_variant_by_the_hash(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b", "c")
    weights = (2000, 5000, 3000)
    await spread(platform, prompt, variants=variants(*weights), salt="s")
    got = Counter[str]()
    for number in range(60):
        subject = f"grüße {number} &+%"
        expected = ("one", "two", "three")[choice(ends_of(weights), bucket_of("s", subject))]
        assert [await variant(platform, prompt, subject) for _ in range(2)] == [expected] * 2
        got[expected] += 1
    assert got.keys() == {"one", "two", "three"}


async def test_a_subject_changes_nothing_without_a_rollout(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    plain = await platform.fetch(prompt["key"])
    for query in ({"subject": "x"}, {"subject": ""}, {"explain": "false"}, {"explain": ""}):
        answer = await platform.fetch(prompt["key"], **query)
        assert (answer.content, answer.headers["etag"]) == (plain.content, plain.headers["etag"])
    await put(platform, prompt, **halves())
    assert (await platform.fetch(prompt["key"], subject="x")).content == plain.content


async def test_all_or_nothing(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    for weight, only in ((0, "B"), (100, "A")):
        await spread(platform, prompt, **halves() | {"weight_a": weight})
        drawn = [(await platform.fetch(prompt["key"])).json()["variant"] for _ in range(20)]
        assert set(drawn) == {only}


async def test_the_reason_on_request(platform: RunningPlatform) -> None:
    key = new_key()
    prompt = await platform.create(key, env="prod", content="x")

    async def explanation(**query: str) -> Any:
        plain = (await platform.fetch(key, **query)).json()
        explained = (await platform.fetch(key, explain="true", **query)).json()
        reason = explained.pop("explanation")
        if "subject" in query:
            assert explained == plain
        return reason

    assert await explanation(subject="ada") == {"reason": "draft"}
    await platform.publish(prompt["id"])
    assert await explanation() == {"reason": "published"}
    await spread(platform, prompt, **halves("v1", "v1"), salt="s")
    bucket = bucket_of("s", "ada")
    name = "A" if bucket < 5000 else "B"
    expected = {"reason": "rollout", "variant": name, "bucket": bucket, "subject": "ada"}
    assert await explanation(subject="ada") == {**expected, "salt": "s"}
    drawn = await explanation()
    assert drawn["subject"] is None
    assert drawn["variant"] == ("A" if drawn["bucket"] < 5000 else "B")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"subject": "s" * 501}, "subject: has 501 characters"),
        ({"explain": "perhaps"}, "explain: must be true or false (got 'perhaps')"),
    ],
)
async def test_what_a_fetch_refuses(
    platform: RunningPlatform, query: dict[str, str], message: str
) -> None:
    prompt = await platform.create(env="prod")
    answer = await platform.fetch(prompt["key"], **query)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    longest = await platform.fetch(prompt["key"], subject="é" * 500, explain="1")
    assert longest.status_code == 200


async def test_etags_head_and_caching(platform: RunningPlatform) -> None:
    prompt = await published(platform, "first", "the second")
    await spread(platform, prompt, **halves())
    path, etags = f"/api/sdk/prompts/{prompt['key']}", {}
    for _ in range(64):
        answer = await platform.http.get(path)
        etags[answer.json()["variant"]] = answer.headers["etag"]
        assert answer.headers["cache-control"] == "private, no-cache"
    assert len(set(etags.values())) == 2
    seen = Counter[int]()
    for _ in range(64):
        answer = await platform.http.get(path, headers={"if-none-match": etags["A"]})
        seen[answer.status_code] += 1
        if answer.status_code == 304:
            assert (answer.headers["etag"], answer.content) == (etags["A"], b"")
        else:
            assert answer.json()["variant"] == "B"
    assert seen.keys() == {200, 304}
    both = {"if-none-match": f"{etags['A']}, {etags['B']}"}
    assert (await platform.http.get(path, headers=both)).status_code == 304
    for query in ({"subject": "x"}, {"subject": "x", "explain": "true"}):
        got = await platform.http.get(path, params=query)
        head = await platform.http.head(path, params=query)
        assert (head.headers["etag"], head.content) == (got.headers["etag"], b"")
        assert head.headers["content-length"] == str(len(got.content))


async def test_publishing_and_moving_leave_it_on(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    await spread(platform, prompt, **halves(), salt="s")
    before = await variant(platform, prompt, "ada")
    edit = {"content": "c", "env": "test"}
    await platform.http.put(f"/api/prompts/{prompt['id']}", json=edit)
    version = await platform.publish(prompt["id"])
    assert version["version"] == "v3"
    answer = (await platform.fetch(prompt["key"], "test", subject="ada")).json()
    assert (answer["variant"], answer["env"]) == (before, "test")
    assert answer["content"] in ("a", "b")
    assert (await platform.fetch(prompt["key"], "prod")).status_code == 404
    stored = await platform.http.get(f"/api/prompts/{prompt['id']}/rollout")
    assert (stored.json()["data"]["enabled"], stored.json()["data"]["env"]) == (True, "test")


async def test_watchers_are_told_of_what_alters_a_fetch_and_of_nothing_else(
    platform: RunningPlatform,
) -> None:
    prompt = await published(platform, "a", "b")
    path = f"/api/prompts/{prompt['id']}/rollout"
    async with platform.watch(namespace="prod") as watcher:
        await put(platform, prompt, **halves())
        await put(platform, prompt, weight_a=10)
        for change in ({"enabled": True}, {"weight_a": 0}, {}, {"salt": "new"}):
            await put(platform, prompt, **change)
        await put(platform, prompt, enabled=False)
        await platform.http.delete(path)
        await spread(platform, prompt, **halves())
        await platform.http.delete(path)
        last = await platform.create(env="prod")
        events = []
        while not events or events[-1]["id"] != last["id"]:
            events.append(await next_event(watcher))
    expected = {"type": "prompt.updated", "id": prompt["id"], "key": prompt["key"]}
    assert events[:-1] == [{**expected, "env": "prod", "version": "v2"}] * 6


async def test_the_change_can_be_fetched_when_its_event_arrives(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    await spread(platform, prompt, **halves() | {"weight_a": 100})
    async with platform.watch(namespace="prod") as watcher:
        for weight, only in ((0, "B"), (100, "A")) * 5:
            changing = asyncio.create_task(put(platform, prompt, weight_a=weight))
            await next_event(watcher)
            assert (await platform.fetch(prompt["key"])).json()["variant"] == only
            await changing


@pytest.mark.usefixtures("no_slow_poll")
async def test_it_is_there_after_a_restart_and_on_the_other_replica(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one:
        prompt = await published(one, "a", "b")
        await spread(one, prompt, **halves() | {"weight_a": 0})
        async with running_platform(settings) as two, two.watch(namespace="prod") as watcher:
            assert (await two.fetch(prompt["key"])).json()["variant"] == "B"
            for weight, only in ((100, "A"), (0, "B")):
                await spread(one, prompt, weight_a=weight)
                event = await next_event(watcher)
                assert event["id"] == prompt["id"]
                assert (await two.fetch(prompt["key"])).json()["variant"] == only
