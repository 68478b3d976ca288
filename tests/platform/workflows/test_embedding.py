"""What steps use of the registry is settled when a run starts: prompts, agents, workflows."""

from typing import Any

import httpx
import pytest

from harness.people import new_api_key
from harness.platform import RunningPlatform, new_key
from harness.workflows import run_workflow, running, save_workflow

__all__ = ["running"]

ECHO = {"name": "call", "type": "model", "provider": "mock", "model": "mock-echo"}


async def prompt(platform: RunningPlatform, content: str, **fields: Any) -> dict[str, Any]:
    body = {"key": new_key(), "env": "prod", "content": content, **fields}
    made: dict[str, Any] = (await platform.http.post("/api/prompts", json=body)).json()["data"]
    return made


async def error_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"])


async def test_a_step_renders_a_prompt_of_the_registry(running: RunningPlatform) -> None:
    made = await prompt(running, "One {{who}}")
    published = await running.http.post("/api/prompts/publish", json={"id": made["id"]})
    version = published.json()["data"]["version"]
    await running.http.put(f"/api/prompts/{made['id']}", json={"content": "Draft {{who}}"})
    step = {"name": "p", "type": "render", "prompt": {"key": made["key"]}}
    workflow = await save_workflow(running, [step])
    answer = await run_workflow(running, workflow, variables={"who": "Ada"})
    assert answer.json()["output"] == "One Ada"
    assert answer.json()["steps"][0]["notes"] == [f"prompt {made['key']} {version} of prod"]
    pinned = {**step, "prompt": {"key": made["key"], "env": "prod", "version": version}}
    again = await save_workflow(running, [pinned])
    assert (await run_workflow(running, again)).json()["output"] == "One {{who}}"


async def test_a_run_names_the_prompts_of_its_steps(running: RunningPlatform) -> None:
    """Also those of inner runs, with the variant that a rollout chose."""
    made = await prompt(running, "One {{who}}")
    for content in ("Two {{who}}", "Three {{who}}"):
        await running.http.post("/api/prompts/publish", json={"id": made["id"]})
        await running.http.put(f"/api/prompts/{made['id']}", json={"content": content})
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 0}
    url = f"/api/prompts/{made['id']}/rollout"
    assert (await running.http.put(url, json=rollout)).status_code == 200
    other = await prompt(running, "Ask {{topic}}")
    reference = {"key": other["key"], "env": "prod"}
    agent = {"key": new_key(), "prompt_ref": reference, "provider": "mock", "model": "mock-echo"}
    assert (await running.http.post("/api/agents", json=agent)).status_code == 200
    asking = {"type": "agent", "key": agent["key"]}
    inner = await save_workflow(running, [asking])
    steps = [
        {"name": "p", "type": "render", "prompt": {"key": made["key"], "subject": "{{who}}"}},
        {"name": "wrap", "type": "workflow", "key": inner["key"], "variables": {"topic": "x"}},
        {"name": "all", "type": "map", "over": '["a"]', "step": asking},
        {"name": "loud", "type": "transform", "op": "upper"},
    ]
    workflow = await save_workflow(running, steps)
    answer = await run_workflow(running, workflow, variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    run = (await running.http.get(f"/api/runs/{answer.json()['run_id']}")).json()["data"]
    rendered = {"key": made["key"], "env": "prod", "version": "v2", "variant": "B"}
    asked = {"key": other["key"], "env": "prod", "version": "v1", "variant": None}
    prompts = {step["name"]: step["prompts"] for step in run["steps"]}
    assert prompts == {
        "p": [rendered],
        "wrap": [asked],
        "wrap / agent": [asked],
        "wrap / agent / render": [asked],
        "wrap / agent / model": [asked],
        "all": [asked],
        "loud": [],
    }
    assert sorted(run["prompts"], key=str) == sorted([rendered, asked], key=str)
    versions = {step["name"]: step["version"] for step in run["steps"]}
    assert run["version"] == versions["p"] == str(workflow["version"])
    assert versions["wrap / agent"] == str(inner["version"])
    for used in (rendered, asked):
        listed = await running.http.get("/api/runs", params={"prompt": used["key"]})
        assert [row["id"] for row in listed.json()["data"]] == [run["id"]]
        stats = await running.http.get("/api/runs/stats", params={"prompt": used["key"]})
        assert stats.json()["total"] == 1


async def test_a_prompt_that_is_not_there_is_named(running: RunningPlatform) -> None:
    workflow = await save_workflow(running, [{"type": "render", "prompt": {"key": "nothing-here"}}])
    sentence = await error_of(await run_workflow(running, workflow), 404)
    assert sentence.startswith("steps.0.prompt: prompt 'nothing-here' of workflow ")


async def test_an_agent_and_a_workflow_run_as_steps(running: RunningPlatform) -> None:
    agent = {"key": new_key(), "prompt": "Ask {{topic}}", "provider": "mock", "model": "mock-echo"}
    assert (await running.http.post("/api/agents", json=agent)).status_code == 200
    inner = await save_workflow(
        running, [{"name": "in", "type": "render", "template": "<{{input}}>"}]
    )
    steps = [
        {"name": "ask", "type": "agent", "key": agent["key"], "variables": {"topic": "{{who}}"}},
        {"name": "wrap", "type": "workflow", "key": inner["key"]},
        {"name": "loud", "type": "transform", "op": "upper"},
    ]
    workflow = await save_workflow(running, steps)
    answer = await run_workflow(running, workflow, variables={"who": "Ada"})
    assert answer.json()["output"] == "<ASK ADA>"
    names = [step["name"] for step in answer.json()["steps"]]
    assert sorted(names) == sorted(
        ["ask", "ask / render", "ask / model", "wrap", "wrap / in", "loud"]
    )
    model = next(step for step in answer.json()["steps"] if step["name"] == "ask / model")
    assert (model["provider"], model["model"], model["cost_usd"]) == ("mock", "mock-echo", 0)
    assert model["output_tokens"] > 0
    assert model["stop_reason"] == "end"
    logged = (await running.http.get(f"/api/runs/{answer.json()['run_id']}")).json()["data"]
    assert logged["output_tokens"] == model["output_tokens"]


async def test_an_agents_rollout_chooses_for_the_subject_of_its_step(
    running: RunningPlatform,
) -> None:
    """The same subject gets what the agent itself answers it with."""
    made = await prompt(running, "One")
    for content in ("Two", "Three"):
        await running.http.post("/api/prompts/publish", json={"id": made["id"]})
        await running.http.put(f"/api/prompts/{made['id']}", json={"content": content})
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 50}
    await running.http.put(f"/api/prompts/{made['id']}/rollout", json=rollout)
    reference = {"key": made["key"], "env": "prod"}
    body = {"key": new_key(), "prompt_ref": reference, "provider": "mock", "model": "mock-echo"}
    agent = (await running.http.post("/api/agents", json=body)).json()["data"]
    step = {"type": "agent", "key": agent["key"], "subject": "user-{{who}}"}
    workflow = await save_workflow(running, [step])
    outputs = set()
    # The salt is drawn, so that nobody knows how many subjects it takes to see both.
    for who in range(60):
        answer = await run_workflow(running, workflow, variables={"who": who})
        own = await running.http.post(
            f"/api/agents/{agent['id']}/run", json={"subject": f"user-{who}", "variables": {}}
        )
        assert answer.json()["output"] == own.json()["result"]["output"]
        outputs.add(answer.json()["output"])
        if len(outputs) == 2:
            break
    assert outputs == {"One", "Two"}


@pytest.mark.parametrize("kind", ["agent", "workflow"])
@pytest.mark.parametrize("is_mapped", [False, True])
async def test_a_limited_key_runs_no_workflow_whose_steps_use_other_environments(
    running: RunningPlatform, kind: str, is_mapped: bool
) -> None:
    step: dict[str, Any] = {"type": kind, "key": new_key(), "env": "prod"}
    steps = [{"type": "map", "over": '["a"]', "step": step}] if is_mapped else [step]
    workflow = await save_workflow(running, steps)
    plain = await save_workflow(running, [{**step, "env": "dev"}])
    url = f"/api/workflows/{workflow['id']}"
    key = await new_api_key(running, role="editor", environments=["dev"])
    async with running.client(key) as client:
        for answer in (
            await client.get(url),
            await client.put(url, json={"name": "other"}),
            await client.post(f"{url}/run", json={}),
            await client.put(f"/api/workflows/{plain['id']}", json={"steps": steps}),
        ):
            assert "limited to the environments dev" in await error_of(answer, 403)
        assert (await client.get(f"/api/workflows/{plain['id']}")).status_code == 200


async def test_a_run_keeps_what_it_started_with(running: RunningPlatform) -> None:
    inner = await save_workflow(running, [{"name": "in", "type": "render", "template": "old"}])
    published = await running.http.post(f"/api/workflows/{inner['id']}/publish", json={})
    assert published.status_code == 200, published.text
    edit = {"steps": [{"name": "in", "type": "render", "template": "draft"}]}
    await running.http.put(f"/api/workflows/{inner['id']}", json=edit)
    workflow = await save_workflow(running, [{"type": "workflow", "key": inner["key"]}])
    assert (await run_workflow(running, workflow)).json()["output"] == "old"


@pytest.mark.parametrize("kind", ["agent", "workflow"])
async def test_what_is_not_there_is_named(running: RunningPlatform, kind: str) -> None:
    workflow = await save_workflow(running, [{"type": kind, "key": "nobody"}])
    sentence = await error_of(await run_workflow(running, workflow), 404)
    assert sentence == (
        f"steps.0.key: {kind} 'nobody' of workflow '{workflow['key']}' is not in its workspace; "
        "create it there, or edit the workflow"
    )


async def test_workflows_that_run_each_other_are_refused(running: RunningPlatform) -> None:
    one, other = new_key(), new_key()
    first = await save_workflow(running, [{"type": "workflow", "key": other}], key=one)
    await save_workflow(running, [{"type": "workflow", "key": one}], key=other)
    sentence = await error_of(await run_workflow(running, first), 400)
    assert sentence == (
        f"key: workflow {one!r} runs itself ({one} → {other} → {one}); remove one of the steps"
    )


async def test_workflows_are_nested_five_deep_at_most(running: RunningPlatform) -> None:
    below = await save_workflow(running, [{"type": "render", "template": "bottom"}])
    for _ in range(5):
        below = await save_workflow(running, [{"type": "workflow", "key": below["key"]}])
    assert (await run_workflow(running, below)).json()["output"] == "bottom"
    deeper = await save_workflow(running, [{"type": "workflow", "key": below["key"]}])
    sentence = await error_of(await run_workflow(running, deeper), 400)
    assert "would be more than 5 deep" in sentence


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def test_wrong_inputs_are_a_400_that_names_the_field(running: RunningPlatform) -> None:
    show = [{"name": "show", "type": "render", "template": "{{n}} {{unit}}"}]
    fields = {"input_schema": SCHEMA, "defaults": {"unit": "kg"}}
    workflow = await save_workflow(running, show, **fields)
    wrong = await run_workflow(running, workflow, variables={"n": "three"})
    assert (await error_of(wrong, 400)).startswith("variables: n: ")
    assert (await run_workflow(running, workflow)).status_code == 400
    right = await run_workflow(running, workflow, variables={"n": 3})
    assert right.json()["output"] == "3 kg"


async def test_a_strict_workflow_runs_with_all_its_variables_only(
    running: RunningPlatform,
) -> None:
    steps = [{"name": "a", "type": "render", "template": "{{x}} {{input}}"}]
    loose = await save_workflow(running, steps)
    answer = await run_workflow(running, loose, variabels={"x": 1})
    assert answer.json()["warnings"] == [
        "field 'variabels' is unknown and has no effect",
        "step 1 (a): template reads {{x}}, which has no value",
    ]
    strict = await save_workflow(running, steps, strict=True)
    sentence = await error_of(await run_workflow(running, strict), 400)
    assert sentence == (
        "variables: step 1 (a): template reads {{x}}, which has no value; send it, or give it a "
        "default"
    )


async def test_a_chain_says_why_the_earlier_provider_failed(running: RunningPlatform) -> None:
    chain = {
        **ECHO,
        "model": "mock-fail-overloaded",
        "fallbacks": [{"provider": "mock", "model": "mock-echo"}],
        "messages": [{"content": "hi"}],
    }
    workflow = await save_workflow(running, [chain])
    (step,) = (await run_workflow(running, workflow)).json()["steps"]
    assert step["output"] == "hi"
    assert step["notes"][0].startswith("fell back: provider mock: ")


async def test_a_workflow_as_a_step_takes_what_its_schema_says(running: RunningPlatform) -> None:
    inner = await save_workflow(
        running,
        [{"type": "render", "template": "{{greeting}} {{who}} {{mark}}"}],
        defaults={"greeting": "Hello", "who": "nobody"},
        input_schema={"type": "object", "properties": {"who": {"type": "string"}}},
        strict=True,
    )
    step = {"name": "inner", "type": "workflow", "key": inner["key"]}

    async def run(variables: dict[str, Any]) -> httpx.Response:
        workflow = await save_workflow(running, [{**step, "variables": variables}])
        return await run_workflow(running, workflow)

    assert (await run({"who": "Ada", "mark": "!"})).json()["output"] == "Hello Ada !"
    wrong = await error_of(await run({"who": 5, "mark": "!"}), 502)
    assert f"{inner['key']}: variables: who: 5 is not of type 'string'" in wrong
    unfilled = await error_of(await run({}), 502)
    assert "template reads {{mark}}, which has no value" in unfilled
