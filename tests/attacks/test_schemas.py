"""JSON Schemas that were written to take the platform down, wherever it takes one."""

import asyncio
import gc
import json
import random
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import update

from harness.platform import (
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.agents.tables import AgentRow

Schema = dict[str, Any]

SHORT_TRIALS = 60
LONG_TRIALS = 1_500


@pytest_asyncio.fixture(scope="module")
async def attacked(postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    async with running_platform(await new_settings("sqlite", postgres, data)) as running:
        # As the server does once it has started.
        gc.collect()
        gc.freeze()
        yield running
        gc.unfreeze()
    shutil.rmtree(data)


def doubling(keyword: str) -> Schema:
    """41 definitions that each refer to the next one twice."""
    defs: Schema = {}
    for level in range(41):
        target = {"$ref": f"#/$defs/d{level + 1}"}
        by_name = keyword in ("properties", "dependentSchemas")
        defs[f"d{level}"] = {keyword: {"x": target, "y": target} if by_name else [target, target]}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, "d41": {}}}


def nested(levels: int) -> Schema:
    schema: Schema = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def mutual(count: int) -> Schema:
    """Definitions that all refer to each other, for other values."""
    refs = {f"p{number}": {"$ref": f"#/$defs/d{number}"} for number in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {f"d{number}": {"properties": refs} for number in range(count)}}  # fmt: skip  # noqa: E501


REFUSED: dict[str, Schema] = {
    "in place of itself": {"allOf": [{"$ref": "#"}] * 30},
    "in place of itself, by anchor": {"$anchor": "a", "anyOf": [{"$ref": "#a"}] * 30},
    "in place of itself, dynamic": {"$dynamicAnchor": "a", "oneOf": [{"$dynamicRef": "#a"}] * 9},
    "in place of itself, when a property is there": {"dependentSchemas": {"x": {"$ref": "#"}}},
    "many items": {"type": "array", "minItems": 3_000_000},
    "long text": {"type": "string", "minLength": 2_000_000_000},
    "many properties": {"minProperties": 10**15},
    "many fitting items": {"contains": {}, "minContains": 10**15},
    "number beyond a double": {"type": "number", "minimum": 10**400},
    "negative number beyond a double": {"type": "number", "maximum": -(10**400)},
    "list in which a number is beyond a double": {"enum": [1, 10**400]},
    "step beyond a double": {"multipleOf": 10**400},
    **{f"doubling {keyword}": doubling(keyword) for keyword in (
        "allOf", "anyOf", "oneOf", "prefixItems", "properties", "dependentSchemas")},
    "all refer to all": mutual(40),
    "many empty schemas": {"anyOf": [{}] * 14_000},
    "large enum": {"enum": list(range(12_000))},
    "long constant": {"const": "x" * 70_000},
    "deep": nested(300),
    "deeper than Python goes": nested(900),
    "large repetition": {"pattern": "((a{300}){300}){300}"},
    "many large patterns": {"anyOf": [{"pattern": f"\\w{{{600 + n}}}"} for n in range(99)]},
    "look-around": {"pattern": "(?=(a+)+)b"},
    "somewhere else": {"$ref": "http://169.254.169.254/latest/meta-data"},
    "a file": {"$dynamicRef": "file:///etc/passwd"},
    "a broken text": {"title": "\ud800"},
    "a broken name": {"properties": {"\ud800": {"type": "x"}}},
    "no schema where one must be": {"properties": {"a": 5}},
    "no list of names": {"required": 5},
    "names in lists": {"required": [["a"]]},
}  # fmt: skip

# The others were never stored: JSON so deep, so long, or with text that no database takes.
UNSTORABLE = ("deep", "deeper than Python goes", "long constant", "a broken text", "a broken name")
STORABLE = [name for name in REFUSED if name not in UNSTORABLE]

TAKEN: dict[str, Schema] = {
    "tree": {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
    "old reference to itself": {"$recursiveRef": "#"},
    "pattern that backtracks": {"type": "string", "pattern": "^(a+)+$"},
    "step of the least double": {"type": "number", "minimum": 1e308, "multipleOf": 5e-324},
    "whole step, least double": {"type": "integer", "minimum": 10**308, "multipleOf": 5e-324},
    "as much as fits": {"properties": {f"p{n}": {"type": "string"} for n in range(2_000)}},
    "other names for a place": {"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "integer"}}},
}  # fmt: skip

# Each is within the limits, and its least instance is not.
TOO_LARGE_TO_MAKE: dict[str, Schema] = {
    "items of items": {"type": "array", "minItems": 9_999,
                       "items": {"type": "array", "minItems": 9_999}},
    "long items": {"type": "array", "minItems": 9_999, "items": {"minLength": 99_999}},
    "constants": {"type": "array", "minItems": 9_999, "items": {"const": "x" * 60_000}},
    "names": {"type": "array", "minItems": 9_999, "items": {"required": ["x" * 60_000]}},
    "choices": {"type": "array", "minItems": 9_999,
                "items": {f"x-{number}": True for number in range(4_000)}},
}  # fmt: skip


async def ask(attacked: RunningPlatform, **body: Any) -> httpx.Response:
    # With escapes, as the client would refuse to write half a surrogate pair.
    content = json.dumps({"content": "x", "provider": "mock", **body}).encode()
    return await attacked.http.post("/api/playground/run", content=content)


def tool(schema: Schema, name: str = "look") -> dict[str, Any]:
    return {"name": name, "url": "http://127.0.0.1/", "parameters": {**schema, "type": "object"}}


async def save(attacked: RunningPlatform, **fields: Any) -> httpx.Response:
    content = json.dumps({"key": new_key(), "prompt": "x", **fields}).encode()
    return await attacked.http.post("/api/agents", content=content)


def check_refusal(answer: httpx.Response, field: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(field), answer.text
    assert len(answer.text) < 2_000


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_schema_is_refused_wherever_it_is_sent(
    attacked: RunningPlatform, name: str
) -> None:
    schema = REFUSED[name]
    check_refusal(await ask(attacked, output_schema=schema), "output_schema: ")
    check_refusal(await ask(attacked, output_schema=schema, stream=True), "output_schema: ")
    check_refusal(await save(attacked, output_schema=schema), "output_schema: ")
    check_refusal(await save(attacked, tools=[tool({}), tool(schema, "b")]), "tools")
    agent = (await save(attacked)).json()["data"]
    content = json.dumps({"output_schema": schema}).encode()
    answer = await attacked.http.put(f"/api/agents/{agent['id']}", content=content)
    check_refusal(answer, "output_schema: ")
    assert (await attacked.http.get(f"/api/agents/{agent['id']}")).json()["data"] == agent


@pytest.mark.parametrize("name", STORABLE)
async def test_a_bad_schema_of_a_prompt_is_refused_when_it_is_used(
    attacked: RunningPlatform, name: str
) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": REFUSED[name]}}
    content = json.dumps({"key": new_key(), "content": "x", "config": {"response_format": form}})
    answer = await attacked.http.post("/api/prompts", content=content.encode())
    prompt = answer.json()["data"]
    name_of_field = "config: response_format of the prompt "
    check_refusal(await ask(attacked, content=None, id=prompt["id"]), name_of_field)
    reference = {"key": prompt["key"], "env": prompt["env"]}
    agent = (await save(attacked, prompt=None, prompt_ref=reference)).json()["data"]
    check_refusal(await attacked.http.post(f"/api/agents/{agent['id']}/run"), name_of_field)


@pytest.mark.parametrize("name", TAKEN)
async def test_a_harmless_schema_is_taken(attacked: RunningPlatform, name: str) -> None:
    answer = await ask(attacked, output_schema=TAKEN[name])
    assert answer.status_code == 200, answer.text
    assert (await save(attacked, output_schema=TAKEN[name])).status_code == 200
    assert (await save(attacked, tools=[tool(TAKEN[name])])).status_code == 200


@pytest.mark.parametrize("name", TOO_LARGE_TO_MAKE)
async def test_the_mock_provider_makes_no_large_instances(
    attacked: RunningPlatform, name: str
) -> None:
    answer = await ask(attacked, output_schema=TOO_LARGE_TO_MAKE[name])
    assert answer.status_code == 400, answer.text
    assert "which is the limit" in answer.json()["error"]


@pytest.mark.parametrize("name", STORABLE)
async def test_an_agent_saved_before_the_limits_is_read_and_does_not_run(
    attacked: RunningPlatform, name: str
) -> None:
    for column, value in (
        ("output_schema", REFUSED[name]),
        ("tools", [tool(REFUSED[name])]),
    ):
        agent = (await save(attacked, tools=[tool({})])).json()["data"]
        async with attacked.platform.database.write() as transaction:
            change = update(AgentRow).where(AgentRow.id == agent["id"]).values({column: value})
            await transaction.session.execute(change)
        run = await attacked.http.post(f"/api/agents/{agent['id']}/run")
        check_refusal(run, column)
        removed = await attacked.http.delete(f"/api/agents/{agent['id']}")
        assert removed.status_code == 200, removed.text


async def test_an_agent_with_as_many_large_tools_as_it_takes(attacked: RunningPlatform) -> None:
    large = {"description": "x" * 60_000}
    few = [tool(large, f"t{number}") for number in range(3)]
    assert (await save(attacked, tools=few)).status_code == 200
    many = [tool(large, f"t{number}") for number in range(5)]
    check_refusal(await save(attacked, tools=many), "tools: their parameters have ")


async def test_many_at_once_leave_the_platform_answering(attacked: RunningPlatform) -> None:
    attacks = [ask(attacked, output_schema=schema) for schema in [*REFUSED.values()] * 3]
    attacks += [ask(attacked, output_schema=schema) for schema in TOO_LARGE_TO_MAKE.values()]
    under_way = asyncio.gather(*attacks)
    while not under_way.done():
        assert (await attacked.http.get("/health")).status_code == 200
        await asyncio.sleep(0)
    assert {answer.status_code for answer in await under_way} == {400}


KEYWORDS = (
    *("allOf", "anyOf", "oneOf", "prefixItems", "items", "not", "if", "then", "else", "contains"),
    *("properties", "dependentSchemas", "additionalProperties", "propertyNames", "$defs"),
    *("$ref", "$dynamicRef", "$anchor", "unevaluatedProperties", "unevaluatedItems"),
    *("minItems", "minLength", "minProperties", "minimum", "maximum", "multipleOf", "maxLength"),
    *("enum", "const", "required", "dependentRequired", "pattern", "uniqueItems", "type"),
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    *(0, 1, -1, 3, 10_000, 2**31, 2**53, 10**307, 1.5, 5e-324, 1e308, True, False, None, "", "x"),
    *("#", "#/", "#/$defs/a", "#/allOf/0", "#a", "(a+)+$", "\\w{500}", "x" * 500, "object"),
    *([], {}, ["a", "b"], ["object", "null"], {"a": ["b"]}),
)  # fmt: skip


def random_schema(dice: random.Random, depth: int = 0) -> Any:
    """Keywords with what they take, and often with what they don't."""
    if depth > 3 or dice.random() < 0.2:
        return dice.choice(LEAVES)
    schema: dict[str, Any] = {}
    for keyword in dice.sample(KEYWORDS, dice.randrange(5)):
        shape, inner = dice.random(), random_schema(dice, depth + 1)
        if keyword in ("$ref", "$dynamicRef"):
            schema[keyword] = dice.choice(("#", "#/$defs/a", "#/properties/a", "#/items", "#a"))
        elif shape < 0.3:
            schema[keyword] = inner
        elif shape < 0.6:
            schema[keyword] = [inner] * (dice.choice((1, 2, 3, 500)) if depth == 0 else 2)
        else:
            schema[keyword] = dict.fromkeys(("a", "b", "x" * dice.choice((1, 900))), inner)
    return schema


@pytest.mark.timeout(900)
async def test_whatever_the_schema_the_platform_is_never_at_fault(
    attacked: RunningPlatform, request: pytest.FixtureRequest
) -> None:
    trials = LONG_TRIALS if request.config.getoption("--long") else SHORT_TRIALS
    for seed in range(trials):
        dice = random.Random(seed)
        defs = {"a": random_schema(dice)}
        schema = random_schema(dice)
        schema = {**(schema if isinstance(schema, dict) else {}), "$defs": defs, "type": "object"}
        played = await ask(attacked, output_schema=schema)
        saved = await save(attacked, tools=[tool(schema)])
        assert played.status_code in (200, 400, 413), (seed, played.text)
        assert saved.status_code in (200, 400, 413), (seed, saved.text)
