"""Nobody takes all places for runs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.callers import new_account, new_api_key
from harness.held_model import held_model
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.errors import TooManyRequests
from promptops_platform.execution import places as places_module
from promptops_platform.execution.places import Limit, Places
from promptops_platform.settings import Settings

QUICK = {"content": "Say hello."}


class Runs:
    """Runs that go until they are told to end."""

    def __init__(self, per_caller: int, per_workspace: int) -> None:
        self.places = Places(
            kind="runs",
            per_caller=Limit(per_caller, "PROMPTOPS_RUNS_PER_CALLER"),
            per_workspace=Limit(per_workspace, "PROMPTOPS_RUNS_PER_WORKSPACE"),
        )
        self.started: list[str] = []

    def start(self, caller: str, workspace: str = "w") -> "asyncio.Task[None]":
        return asyncio.create_task(self._start(caller, workspace))

    async def _start(self, caller: str, workspace: str) -> None:
        await self.places.take(caller, workspace)
        self.started.append(caller)

    async def end(self, caller: str, workspace: str = "w") -> None:
        self.places.release(caller, workspace)
        await settle()


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_caller_leaves_places_to_others() -> None:
    runs = Runs(per_caller=2, per_workspace=4)
    tasks = [runs.start("ada") for _ in range(5)]
    await settle()
    assert runs.started == ["ada", "ada"]
    tasks += [runs.start("bob")]
    await settle()
    assert runs.started == ["ada", "ada", "bob"]
    for _ in range(3):
        await runs.end("ada")
    assert Counter(runs.started) == {"ada": 5, "bob": 1}
    await asyncio.gather(*tasks)


async def test_one_workspace_leaves_places_to_others() -> None:
    runs = Runs(per_caller=2, per_workspace=3)
    tasks = [runs.start(caller, "one") for caller in ("ada", "ada", "bob", "bob")]
    tasks.append(runs.start("eve", "two"))
    await settle()
    assert runs.started == ["ada", "ada", "bob", "eve"]
    await runs.end("ada", "one")
    assert runs.started[-1] == "bob"
    await asyncio.gather(*tasks)


async def test_a_free_place_goes_to_who_has_the_fewest() -> None:
    runs = Runs(per_caller=3, per_workspace=3)
    tasks = [runs.start("ada") for _ in range(6)]
    await settle()
    tasks.append(runs.start("bob"))
    await settle()
    await runs.end("ada")
    assert runs.started == ["ada", "ada", "ada", "bob"]
    for _ in range(3):
        await runs.end("ada")
    await asyncio.gather(*tasks)


async def test_who_finds_too_many_waiting_is_refused() -> None:
    runs = Runs(per_caller=1, per_workspace=10)
    tasks = [runs.start("ada") for _ in range(4)]
    await settle()
    with pytest.raises(TooManyRequests) as refused:
        await runs.places.take("ada", "w")
    assert refused.value.headers == {"retry-after": "5"}
    assert "PROMPTOPS_RUNS_PER_CALLER" in refused.value.sentence
    await runs.start("bob")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "LONGEST_WAIT_SECONDS", 0.01)
    runs = Runs(per_caller=1, per_workspace=10)
    await runs.start("ada")
    with pytest.raises(TooManyRequests):
        await runs.places.take("ada", "w")
    await runs.end("ada")
    await runs.start("ada")
    await runs.end("ada")
    assert not runs.places._callers
    assert not runs.places._workspaces


async def test_who_hangs_up_while_waiting_takes_no_place_along() -> None:
    runs = Runs(per_caller=1, per_workspace=10)
    await runs.start("ada")
    gone, waiting = runs.start("ada"), runs.start("ada")
    await settle()
    gone.cancel()
    await asyncio.wait([gone])
    runs.places.release("ada", "w")
    # In the very moment in which the place was given.
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not runs.places._callers
    await runs.start("ada")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (8, 12)),
        ({"engine_concurrency": 1}, (1, 1)),
        ({"engine_concurrency": 4, "runs_per_caller": 3, "runs_per_workspace": 4}, (3, 4)),
    ],
)
def test_the_engines_places_are_shared_by_default(
    changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    settings = Settings(**changes)
    assert (settings.most_runs_per_caller, settings.most_runs_per_workspace) == expected


@pytest_asyncio.fixture
async def narrow(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> AsyncIterator[RunningPlatform]:
    """Two playground calls of a caller, and one run, each with three times as many waiting."""
    settings = await new_settings(
        database_kind,
        postgres,
        data_folder,
        playground_per_caller=2,
        playground_per_workspace=4,
        runs_per_caller=1,
        engine_wait_seconds=60,
        drain_seconds=0,
    )
    async with running_platform(settings) as platform:
        yield platform
        # What waits for an engine would hold up the stop.
        await platform.platform.execution.drain(0)


async def test_a_viewer_in_the_playground_takes_no_place_of_others(
    narrow: RunningPlatform,
) -> None:
    viewer, other = await new_account(narrow), await new_account(narrow)
    async with (
        held_model() as model,
        narrow.client(viewer.token) as client,
        narrow.client(other.token) as second,
    ):
        asked = [ask(client, {**QUICK, **model.target}) for _ in range(2)]
        places = narrow.platform.playground.asker._places
        await until(lambda: places._callers[viewer.id] == 2)
        asked += [ask(client, {**QUICK, "stream": number % 2 == 1}) for number in range(6)]
        await until(lambda: len(places._waiters) == 6)
        refused = await client.post("/api/playground/run", json=QUICK)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "5"
        assert refused.json()["code"] == "too_many_requests"
        assert "PROMPTOPS_PLAYGROUND_PER_CALLER" in refused.json()["error"]
        streamed = await client.post("/api/playground/run", json={**QUICK, "stream": True})
        assert streamed.status_code == 429
        assert (await second.post("/api/playground/run", json=QUICK)).status_code == 200
        assert not any(answer.done() for answer in asked)
        model.hold.release()
        assert {(await answer).status_code for answer in asked} == {200}
        assert not places._callers
        assert (await client.post("/api/playground/run", json=QUICK)).status_code == 200


async def test_an_accounts_keys_are_counted_with_it(narrow: RunningPlatform) -> None:
    admin = await new_account(narrow, "admin")
    async with narrow.client(admin.token) as client:
        key = await new_api_key(narrow, client, role="viewer")
        async with held_model() as model, narrow.client(key["key"]) as by_key:
            asked = [ask(caller, {**QUICK, **model.target}) for caller in (client, by_key)]
            places = narrow.platform.playground.asker._places
            await until(lambda: places._callers[admin.id] == 2)
            model.hold.release()
            assert {(await answer).status_code for answer in asked} == {200}


@pytest.mark.parametrize("kind", ["agents", "workflows"])
async def test_a_viewers_runs_are_limited(narrow: RunningPlatform, kind: str) -> None:
    fields = {
        "agents": {"prompt": "Say hello.", "provider": "mock"},
        "workflows": {"steps": [{"name": "a", "type": "render", "template": "Hello"}]},
    }[kind]
    saved = await narrow.http.post(f"/api/{kind}", json={"key": new_key(), **fields})
    path = f"/api/{kind}/{saved.json()['data']['id']}/run"
    viewer, other = await new_account(narrow), await new_account(narrow)
    places = narrow.platform.execution.executor._places
    async with narrow.client(viewer.token) as client, narrow.client(other.token) as second:
        # No engine is running, so each of them waits for it.
        asked = [ask(client, {}, path) for _ in range(4)]
        await until(lambda: places._callers[viewer.id] == 1 and len(places._waiters) == 3)
        refused = await client.post(path)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "5"
        assert "PROMPTOPS_RUNS_PER_CALLER" in refused.json()["error"]
        asked.append(ask(second, {}, path))
        await until(lambda: places._callers[other.id] == 1)
        # The first run goes on when its caller hangs up, and keeps its place.
        await hang_up(asked)
        assert places._callers == {viewer.id: 1, other.id: 1}


def ask(
    client: httpx.AsyncClient, body: dict[str, Any], path: str = "/api/playground/run"
) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(client.post(path, json=body, timeout=90))


async def hang_up(asked: list["asyncio.Task[httpx.Response]"]) -> None:
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)
