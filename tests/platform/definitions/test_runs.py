"""Which version a run takes, on a real engine."""

import asyncio

import pytest

from harness.agents import running
from harness.definitions import KINDS, Definition, new_definition
from harness.held_model import ANSWER, KIND, held_model
from harness.people import sent
from harness.platform import RunningPlatform

__all__ = ["running"]

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def output(definition: Definition, **body: object) -> str:
    """What a run brings; the mock provider repeats the prompt's first line."""
    answer = await definition.post("run", variables={}, **body)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    return str(result["output"] if definition.kind == "workflow" else result["result"]["output"])


async def test_the_draft_runs_until_the_first_publish(running: RunningPlatform, kind: str) -> None:
    definition = await new_definition(running, kind, "first text")
    assert "first text" in await output(definition)
    await definition.edit("second text")
    assert "second text" in await output(definition)
    assert "second text" in await output(definition, env="dev")
    await definition.publish()
    await definition.edit("third text")
    assert "second text" in await output(definition)
    await definition.publish()
    assert "third text" in await output(definition)


async def test_a_run_names_a_version_or_an_environment(running: RunningPlatform, kind: str) -> None:
    definition = await new_definition(running, kind, "first text")
    await definition.publish(env="prod")
    await definition.edit("second text")
    await definition.publish()
    await definition.edit("third text")
    for body, text, version in (
        ({"version": 1}, "first text", "1"),
        ({"env": "prod"}, "first text", "1"),
        ({"env": "dev"}, "second text", "2"),
        ({}, "second text", "2"),
        ({"version": 2}, "second text", "2"),
    ):
        assert text in await output(definition, **body), body
        (run,) = sent(await running.http.get(f"/api/runs?limit=1&key={definition.key}"))
        details = sent(await running.http.get(f"/api/runs/{run['id']}"))
        assert details["inputs"]["version"] == version


async def test_a_run_keeps_its_version_while_the_definition_is_edited(
    running: RunningPlatform, kind: str
) -> None:
    async with held_model() as model:
        fields = (
            {"steps": [model.step, {"name": "say", "type": "render", "template": "first text"}]}
            if kind == "workflow"
            else {"provider": KIND, "model": "m"}
        )
        definition = await new_definition(running, kind, "first text", **fields)
        await definition.publish()
        run = asyncio.create_task(output(definition, **model.access))
        await model.is_asked()
        await definition.edit("second text")
        await definition.publish()
        assert (await running.http.delete(definition.url)).status_code == 200
        model.hold.release()
        assert await run == ("first text" if kind == "workflow" else ANSWER)
    (logged,) = sent(await running.http.get(f"/api/runs?limit=1&key={definition.key}"))
    details = sent(await running.http.get(f"/api/runs/{logged['id']}"))
    assert (details["inputs"]["version"], details["version"]) == ("1", "1")
    assert {step["version"] for step in details["steps"]} == {"1"}
