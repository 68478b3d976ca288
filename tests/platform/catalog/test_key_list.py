"""The list of prompts by key, against a plain reading of the prompts."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from harness.people import new_api_key, new_workspace
from harness.platform import RunningPlatform, new_key
from harness.rollouts import spread, variants

ENVIRONMENTS = ("dev", "test", "prod")
FILTERS = ("env", "state", "tag", "category", "model", "author")


async def lines(platform: RunningPlatform, **query: Any) -> tuple[list[dict[str, Any]], int]:
    answer = await platform.http.get("/api/prompt-keys", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["data"], body["total"]


async def keys(platform: RunningPlatform, **query: Any) -> list[str]:
    return [line["key"] for line in (await lines(platform, **query))[0]]


async def facets(platform: RunningPlatform, **query: Any) -> dict[str, dict[str, int]]:
    answer = await platform.http.get("/api/prompt-keys/facets", params=query)
    assert answer.status_code == 200, answer.text
    data: dict[str, list[dict[str, Any]]] = answer.json()["data"]
    return {name: {facet["value"]: facet["count"] for facet in data[name]} for name in data}


class Prompts:
    """A workspace of its own with prompts in every state."""

    def __init__(self, platform: RunningPlatform, workspace: str) -> None:
        self.platform = platform
        self.workspace = workspace

    async def add(self, key: str, env: str, state: str, **fields: Any) -> dict[str, Any]:
        prompt = await self.platform.create(
            key, env=env, workspace=self.workspace, content=f"Hello of {key}", **fields
        )
        if state != "never":
            await self.platform.publish(prompt["id"])
        if state == "draft":
            await self.edit(prompt, content=f"Good morning of {key}")
        if state == "ramping":
            await self.edit(prompt, content=f"Good morning of {key}", version="v2")
            await self.platform.publish(prompt["id"])
            await spread(self.platform, prompt, variants=variants(9000, 1000))
        return prompt

    async def edit(self, prompt: dict[str, Any], **fields: Any) -> None:
        answer = await self.platform.http.put(f"/api/prompts/{prompt['id']}", json=fields)
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def prompts(platform: RunningPlatform) -> Prompts:
    return Prompts(platform, await new_workspace(platform))


async def test_a_line_has_all_environments_and_the_state_of_the_key(prompts: Prompts) -> None:
    key = new_key()
    dev = await prompts.add(key, "dev", "never", name="First", tags="mail")
    prod = await prompts.add(key, "prod", "ramping", name="Newest", category="service")
    found_lines, total = await lines(prompts.platform, workspace=prompts.workspace)
    assert total == 1
    line = found_lines[0]
    assert (line["key"], line["state"], line["name"], line["category"]) == (
        *(key, "ramping"),
        *("Newest", "service"),
    )
    assert line["updated_by"] == "admin"
    assert [
        (environment["env"], environment["id"], environment["state"])
        for environment in line["environments"]
    ] == [
        ("dev", dev["id"], "never"),
        ("prod", prod["id"], "ramping"),
    ]
    first, last = line["environments"]
    assert (first["version"], first["draft_version"], first["variants"]) == (None, "v1", None)
    assert last["version"] == "v2"
    assert [variant["weight"] for variant in last["variants"]] == [9000, 1000]


async def test_the_state_follows_every_change(prompts: Prompts) -> None:
    key, platform = new_key(), prompts.platform
    prompt = await prompts.add(key, "dev", "never")

    async def state() -> tuple[str, str | None]:
        found_lines, _ = await lines(platform, workspace=prompts.workspace)
        environment = found_lines[0]["environments"][0]
        assert environment["state"] == found_lines[0]["state"]
        return found_lines[0]["state"], environment["version"]

    assert await state() == ("never", None)
    await platform.publish(prompt["id"])
    assert await state() == ("published", "v1")
    await prompts.edit(prompt, content="Other")
    assert await state() == ("draft", "v1")
    await prompts.edit(prompt, content=f"Hello of {key}")
    assert await state() == ("published", "v1")
    await prompts.edit(prompt, content="Other")
    await platform.publish(prompt["id"])
    assert await state() == ("published", "v2")
    rollback = {"id": prompt["id"], "version": "v1"}
    assert (await platform.http.post("/api/prompts/rollback", json=rollback)).status_code == 200
    assert await state() == ("published", "v1")
    await spread(platform, prompt, variants=variants(5000, 5000))
    assert await state() == ("ramping", "v1")
    path = f"/api/prompts/{prompt['id']}"
    assert (await platform.http.delete(f"{path}/rollout")).status_code == 200
    assert await state() == ("published", "v1")
    promoted = await platform.http.post(f"{path}/promote", json={"env": "test", "publish": True})
    assert promoted.status_code == 200
    found_lines, _ = await lines(platform, workspace=prompts.workspace)
    assert [
        (environment["env"], environment["state"], environment["version"])
        for environment in found_lines[0]["environments"]
    ] == [
        ("dev", "published", "v1"),
        ("test", "published", "v1"),
    ]
    assert (await platform.http.delete(path)).status_code == 200
    assert len((await lines(platform, workspace=prompts.workspace))[0][0]["environments"]) == 1


async def test_lists_are_sorted_and_come_in_pages(prompts: Prompts) -> None:
    made = []
    for name, state in (("C", "draft"), ("A", "never"), ("B", "published")):
        key = f"Key.{len(made)}"
        await prompts.add(key, "dev", state, name=name)
        made.append(key)
    ask = {"workspace": prompts.workspace}
    assert await keys(prompts.platform, **ask) == made[::-1]
    expected = {"key": [0, 1, 2], "name": [1, 2, 0], "state": [1, 2, 0], "updated_at": [0, 1, 2]}
    for sort, order in expected.items():
        in_order = [made[position] for position in order]
        assert await keys(prompts.platform, **ask, sort=sort) == in_order
        assert await keys(prompts.platform, **ask, sort=f"-{sort}") == in_order[::-1]
    page = {**ask, "sort": "key", "limit": 2}
    assert await lines(prompts.platform, **page, offset=5) == ([], 3)
    found_lines, total = await lines(prompts.platform, **page, offset=2)
    assert ([line["key"] for line in found_lines], total) == ([made[2]], 3)


def read_plainly(rows: list[dict[str, Any]], filter_: dict[str, str]) -> set[str]:
    """The keys that a filter leaves."""
    scope = [row for row in rows if filter_.get("env") in (None, row["env"])]
    order = ("never", "published", "draft", "ramping")
    state = {
        key: max((row["state"] for row in scope if row["key"] == key), key=order.index)
        for key in {row["key"] for row in scope}
    }
    return {
        row["key"]
        for row in scope
        if all(
            filter_[name] in row["tags"].split(",") if name == "tag" else row[name] == filter_[name]
            for name in ("tag", "category", "model")
            if name in filter_
        )
        and filter_.get("state") in (None, state[row["key"]])
    }


@pytest.fixture
async def rows(prompts: Prompts) -> list[dict[str, Any]]:
    """Prompts of which every second value differs."""
    states, made = ("never", "published", "draft", "ramping"), []
    for number, (env, state) in enumerate(product(ENVIRONMENTS, states)):
        fields = {
            "tags": ("mail", "mail,short", "", "short")[number % 4],
            "category": ("service", "risk")[number % 2],
            "model": ("gpt-5", "claude-haiku-4-5", "")[number % 3],
        }
        key = f"key.{number % 5}"
        await prompts.add(key, env, state, **fields)
        made.append({"key": key, "env": env, "state": state, **fields})
    return made


def filters() -> Iterator[dict[str, str]]:
    yield {}
    yield from ({"env": env} for env in ENVIRONMENTS)
    yield from ({"state": state, "env": "dev"} for state in ("never", "ramping"))
    yield from ({"state": state} for state in ("never", "published", "draft", "ramping"))
    yield {"tag": "mail", "category": "service"}
    yield {"tag": "short", "env": "prod", "model": "gpt-5"}
    yield {"category": "risk", "state": "draft"}
    yield {"model": "claude-haiku-4-5", "category": "nowhere"}


async def test_filters_and_facets_are_those_of_the_prompts(
    prompts: Prompts, rows: list[dict[str, Any]]
) -> None:
    for filter_ in filters():
        ask = {"workspace": prompts.workspace, **filter_}
        found_lines, total = await lines(prompts.platform, **ask, sort="key")
        assert [line["key"] for line in found_lines] == sorted(read_plainly(rows, filter_)), filter_
        assert total == len(found_lines)
        counts = await facets(prompts.platform, **ask)
        assert set(counts) == {*FILTERS, "client"}
        for name in ("env", "state", "tag", "category", "model"):
            column = "tags" if name == "tag" else name
            values = {value for row in rows for value in row[column].split(",")}
            expected = {
                value: len(read_plainly(rows, {**filter_, name: value})) for value in values - {""}
            }
            assert counts[name] == {value: n for value, n in expected.items() if n}, (filter_, name)
        assert counts["author"] == ({"admin": total} if total else {})


async def test_text_is_searched_in_key_name_and_content(prompts: Prompts) -> None:
    await prompts.add("alpha", "dev", "never", name="Größe")
    await prompts.add("beta", "prod", "published")
    ask = {"workspace": prompts.workspace}
    assert await keys(prompts.platform, **ask, q="GRÖSSE") == ["alpha"]
    assert await keys(prompts.platform, **ask, q="hello OF be") == ["beta"]
    assert await keys(prompts.platform, **ask, q="lp") == ["alpha"]
    assert await keys(prompts.platform, **ask, q="hello", env="prod") == ["beta"]
    assert (await facets(prompts.platform, **ask, q="hello of"))["env"] == {"dev": 1, "prod": 1}


async def test_a_key_limited_to_an_environment_sees_that_one_only(prompts: Prompts) -> None:
    await prompts.add("both", "dev", "never")
    await prompts.add("both", "prod", "published")
    await prompts.add("mine", "prod", "published")
    await prompts.add("hidden", "dev", "never")
    limits = {"workspace": prompts.workspace, "environments": ["prod"]}
    token = await new_api_key(prompts.platform, **limits)
    async with prompts.platform.client(token) as http:
        answer = (await http.get("/api/prompt-keys", params={"sort": "key"})).json()
        counts = (await http.get("/api/prompt-keys/facets")).json()["data"]
    assert [line["key"] for line in answer["data"]] == ["both", "mine"]
    assert [line["state"] for line in answer["data"]] == ["published"] * 2
    assert [len(line["environments"]) for line in answer["data"]] == [1, 1]
    assert counts["env"] == [{"value": "prod", "count": 2}]
    assert counts["state"] == [{"value": "published", "count": 2}]


@pytest.mark.parametrize("query", ["sort=size", "state=old", "limit=0", "workspace=nowhere"])
async def test_a_wrong_parameter_is_named(platform: RunningPlatform, query: str) -> None:
    answer = await platform.http.get(f"/api/prompt-keys?{query}")
    assert answer.status_code == (404 if "workspace" in query else 400)
    assert query.partition("=")[0] in answer.json()["error"]
