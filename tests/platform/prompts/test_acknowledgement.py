"""Waiting after a publish for the programs that use the prompt."""

import asyncio
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.followers import following
from harness.people import new_api_key, new_workspace
from harness.platform import RunningPlatform, new_key
from promptops_platform.errors import BadRequest
from promptops_platform.http.wait_times import wait_seconds
from promptops_platform.prompts.acknowledgement import LONGEST_WAIT_SECONDS


@given(st.integers(0, 30_000))
def test_milliseconds_and_seconds_mean_the_same(milliseconds: int) -> None:
    assert wait_seconds(f"{milliseconds}ms", longest=30) == pytest.approx(milliseconds / 1000)
    assert wait_seconds(f"{milliseconds / 1000}s", longest=30) == pytest.approx(milliseconds / 1000)


@given(st.text() | st.from_regex(r"-?\d*[.,]?\d*(ms|s|m)?", fullmatch=True))
def test_what_is_no_time_up_to_thirty_seconds_is_refused(text: str) -> None:
    try:
        seconds = wait_seconds(text, longest=LONGEST_WAIT_SECONDS)
    except BadRequest:
        return
    assert 0 <= seconds <= LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("wait", ["5", "31s", "30001ms", "-1s", "1m", "inf"])
async def test_a_wait_that_is_refused_changes_nothing(platform: RunningPlatform, wait: str) -> None:
    prompt = await platform.create(env="prod")
    revision = platform.platform.changes.feed.applied
    answer = await publish(platform, prompt["id"], wait)
    assert answer.status_code == 400
    assert wait in answer.json()["error"]
    assert platform.platform.changes.feed.applied == revision


async def test_without_a_wait_the_answer_is_the_version_alone(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    answer = await platform.http.post("/api/prompts/publish", json={"id": prompt["id"]})
    assert list(answer.json()) == ["data"]


async def test_a_console_is_no_program(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="stage-console")
    async with platform.watch(client="console", app="console"):
        answer = await publish(platform, prompt["id"], "1s")
    assert answer.json()["connected"] == 0


async def test_it_answers_as_soon_as_all_that_hold_the_prompt_have_it(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(env="stage-1")
    other = await new_workspace(platform)
    place = {"namespace": "stage-1"}
    async with (
        following(platform, **place) as one,
        following(platform, **place) as two,
        following(platform, **place) as holds_another,
        following(platform, **place, workspace=other) as elsewhere,
        platform.watch(namespace="stage-1", app="of old") as _old,
        platform.watch(namespace="stage-2"),
    ):
        await one.report_keys(prompt["key"], "another")
        await two.report_keys(*(new_key() for _ in range(1001)))
        await holds_another.report_keys("another")
        await elsewhere.report_keys(prompt["key"])
        started = time.monotonic()
        publishing = asyncio.create_task(publish(platform, prompt["id"], "30s"))
        for watcher in (one, two):
            await watcher.has_applied((await watcher.next())["revision"])
        answer = (await publishing).json()
        assert time.monotonic() - started < 25
    names = ["data", "acknowledged", "connected", "behind", "silent", "partial", "applied"]
    assert list(answer) == [*names, "published_at"]
    assert answer["partial"] is False
    assert answer["data"]["prompt_id"] == prompt["id"]
    assert (answer["acknowledged"], answer["connected"], answer["behind"]) == (2, 3, [])
    assert [client["app"] for client in answer["silent"]] == ["of old"]
    assert len(answer["applied"]) == 2
    for client in answer["applied"]:
        assert client["reported_at"] >= answer["published_at"]
        assert client["remote_addr"]


async def test_who_has_not_applied_it_in_time_is_behind(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="stage-3")
    app, key = new_key(), await new_api_key(platform, role="editor", workspace="default")
    async with following(platform, namespace="stage-3", app=app, version="3") as late:
        await late.report_keys(prompt["key"])
        await late.has_applied(late.hello["revision"])
        answer = (await publish(platform, prompt["id"], "50ms")).json()
        assert (answer["acknowledged"], answer["connected"], answer["silent"]) == (0, 1, [])
        (behind,) = answer["behind"]
        assert (behind["app"], behind["version"]) == (app, "3")
        assert behind["revision"] == late.hello["revision"]
        async with platform.client(key) as limited:
            body = {"id": prompt["id"]}
            answer = (await limited.post("/api/prompts/publish?wait=0s", json=body)).json()
        counts = (answer["acknowledged"], answer["connected"], answer["behind"])
        assert counts == (0, 0, []), "clients of no single workspace do not exist for its key"


async def test_publishing_the_same_again_has_a_time_of_its_own(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="stage-6")
    first = (await publish(platform, prompt["id"], "0s")).json()
    again = (await publish(platform, prompt["id"], "0s")).json()
    assert again["data"] == first["data"]
    assert again["published_at"] > first["published_at"]


async def test_one_that_leaves_is_not_waited_for(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="stage-4")
    async with following(platform, namespace="stage-4") as leaving:
        await leaving.report_keys(prompt["key"])
        started = time.monotonic()
        publishing = asyncio.create_task(publish(platform, prompt["id"], "30s"))
        await leaving.next()
    assert (await publishing).json()["connected"] == 0
    assert time.monotonic() - started < 25


async def test_a_revision_that_is_not_there_is_not_applied(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="stage-5")
    async with following(platform, namespace="stage-5") as lying:
        await lying.report_keys(prompt["key"])
        await lying.has_applied(2**62)
        answer = (await publish(platform, prompt["id"], "50ms")).json()
        assert (answer["acknowledged"], len(answer["behind"])) == (0, 1)


async def publish(platform: RunningPlatform, prompt_id: str, wait: str) -> httpx.Response:
    return await platform.http.post(
        "/api/prompts/publish", params={"wait": wait}, json={"id": prompt_id}
    )
