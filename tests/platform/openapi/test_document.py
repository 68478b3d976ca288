"""The API description: complete, readable, and the one that is committed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harness.platform import RunningPlatform, new_key
from promptops_platform.access.guard import PUBLIC
from promptops_platform.app import openapi
from promptops_platform.cli import app as cli
from promptops_platform.errors import CallerGone, PlatformError
from promptops_platform.openapi.errors import ANSWERS
from promptops_platform.openapi.schema import as_text, describe, operation_id, operations

Json = dict[str, Any]
COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
PUBLIC_OPERATIONS = {
    ("/health", "get"),
    ("/ready", "get"),
    ("/api/login", "post"),
    ("/api/session", "get"),
    ("/api/session", "post"),
    # The address is the secret.
    ("/api/approval-links/{token}", "get"),
    ("/api/approval-links/{token}", "post"),
    # Whoever has the secret of a webhook signs the message.
    ("/hooks/{hook}", "post"),
}


def test_the_committed_document_is_fresh() -> None:
    # Without pytest's own diff of two documents.
    is_fresh = COMMITTED.read_text() == as_text(openapi())
    assert is_fresh, "run `make openapi`, and look at what git shows"


def test_the_command_prints_what_is_committed() -> None:
    assert CliRunner().invoke(cli, ["openapi"]).output == as_text(openapi())


async def test_the_platform_serves_it_to_anybody(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        answer = await nobody.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == openapi()


def test_every_operation_says_what_it_needs_and_answers() -> None:
    for path, method, operation in operations(openapi()):
        assert operation["summary"], path
        assert operation["description"], path
        assert "422" not in operation["responses"]
        public = operation.get("security") == []
        assert public == ((path, method) in PUBLIC_OPERATIONS), path
        assert public != ("x-permission" in operation), path
        for status, response in operation["responses"].items():
            is_error = int(status) >= 400
            assert is_error == (response.get("$ref", "").startswith("#/components/responses/"))


async def test_all_that_a_fetch_answers_is_described(platform: RunningPlatform) -> None:
    """It is no route of FastAPI, so only this compares the two."""
    key, variants = new_key(), [{"name": name, "version": "v1", "weight": 5000} for name in "AB"]
    messages = [{"role": "user", "content": "{{question}}"}]
    prompt = await platform.create(key, env="prod", messages=messages, config={"top_p": 1})
    await platform.publish(prompt["id"])
    rollout = {"enabled": True, "variants": variants}
    await platform.http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout)
    fetched = (await platform.fetch(key, explain="true")).json()
    whole = (await platform.fetch(key, full="true")).json()
    described = openapi()["components"]["schemas"]["FetchedPrompt"]["properties"]
    assert {*fetched, *whole} == {*described}
    assert {*fetched["explanation"]} == {*described["explanation"]["properties"]}


def test_every_tag_is_described() -> None:
    for tag in openapi()["tags"]:
        assert tag.get("description"), f"describe the tag {tag['name']} in openapi/info.py"


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/health", "get", set()),
        ("/api/me", "get", {401, 403, 429}),
        ("/api/login", "post", {400, 401, 413, 429}),
        ("/api/users", "post", {400, 401, 403, 409, 413, 429}),
        ("/api/prompts", "get", {400, 401, 403, 404, 429}),
        ("/api/prompts/publish", "post", {400, 401, 403, 404, 409, 413, 429}),
        ("/api/prompts/{prompt_id}", "delete", {400, 401, 403, 404, 409, 413, 429}),
        ("/api/workflows/{workflow_id}/run", "post", {400, 401, 403, 404, 409, 413, 429, 502}),
        ("/api/runs/{run_id}/cancel", "post", {400, 401, 403, 404, 409, 413, 429}),
        ("/api/runs/{run_id}/retry", "post", {400, 401, 403, 404, 409, 413, 429}),
        ("/api/sdk/prompts/{key}", "get", {400, 401, 403, 404, 429}),
    ],
)
def test_errors_go_by_rule(path: str, method: str, expected: set[int]) -> None:
    responses = openapi()["paths"][path][method]["responses"]
    assert {int(status) for status in responses if int(status) >= 400} == expected | {500, 503}


def test_every_error_of_the_platform_can_be_declared() -> None:
    def tree(error: type[PlatformError]) -> Iterator[type[PlatformError]]:
        yield error
        for subclass in error.__subclasses__():
            yield from tree(subclass)

    # Nobody receives that one.
    declared = {*ANSWERS, CallerGone.status}
    assert {error.status for error in tree(PlatformError)} == declared


@pytest.mark.parametrize(
    ("tag", "function", "expected"),
    [
        ("prompts", "publish_prompt", "prompts_publish"),
        ("prompts", "list_prompts", "prompts_list"),
        ("prompts", "list_versions", "prompts_list_versions"),
        ("access", "change_own_password", "access_change_own_password"),
        ("health", "health", "health"),
    ],
)
def test_operation_ids(tag: str, function: str, expected: str) -> None:
    assert operation_id(tag, function) == expected


def test_two_operations_of_one_id_are_refused() -> None:
    router = APIRouter(tags=["prompts"], dependencies=[PUBLIC])

    @router.get("/a")
    async def list_prompts() -> None: ...

    router.add_api_route("/b", list_prompts)
    with pytest.raises(ValueError, match="GET /a and GET /b are both prompts_list"):
        describe([router])


def test_a_route_without_a_guard_is_refused() -> None:
    router = APIRouter(tags=["prompts"])

    @router.get("/a")
    async def open_to_all() -> None: ...

    with pytest.raises(ValueError, match="/a names no permission"):
        describe([router])


def bodies() -> Iterator[tuple[str, Json]]:
    """The schema of every request body and of every answer that is no error."""
    for path, method, operation in operations(openapi()):
        parts = [operation["requestBody"]] if "requestBody" in operation else []
        parts += [
            response for status, response in operation["responses"].items() if int(status) < 400
        ]
        for part in parts:
            for content in part.get("content", {}).values():
                yield f"{method.upper()} {path}", content["schema"]


def has_example(schema: Json) -> bool:
    """An example of its own, or of what it wraps."""
    if "$ref" in schema:
        return has_example(openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    wrapped = [
        *schema.get("anyOf", []),
        schema.get("items"),
        schema.get("properties", {}).get("data"),
    ]
    return "examples" in schema or any(has_example(inner) for inner in wrapped if inner)


def test_every_body_and_every_answer_has_an_example() -> None:
    missing = {f"{place}: {schema}" for place, schema in bodies() if not has_example(schema)}
    assert not missing, "give them a `model_config = example(...)`"


def test_examples_are_valid() -> None:
    document = openapi()
    checked = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            # The components lie where the references in the schema expect them.
            validator = Draft202012Validator({**document, **schema})
            errors = [error.message for error in validator.iter_errors(example)]
            assert not errors, f"{name}: {errors}"
            assert set(example) <= set(schema["properties"]) or "additionalProperties" in schema
            checked += 1
    assert checked > 20


def test_references_lead_somewhere() -> None:
    document = openapi()
    text = json.dumps(document)
    for part in text.split('"$ref": "')[1:]:
        target: Any = document
        for name in part.partition('"')[0].removeprefix("#/").split("/"):
            target = target[name]
        assert target
