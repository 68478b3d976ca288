"""Running agents through a real engine and a real Prefect server."""

from typing import Any

import pytest

from harness.agents import run_agent, running, save_agent
from harness.platform import RunningPlatform, new_key
from harness.prefect_runs import ended_flow_run
from harness.prefect_server import PrefectServer

__all__ = ["running"]


async def test_the_answer_has_the_keys_that_existing_clients_read(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt="Hello {{who}}\nmore")
    answer = await run_agent(running, agent, variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    assert answer.text.startswith(
        '{"rendered":"Hello Ada\\nmore","result":{"provider":"mock","model":"mock-1",'
        '"output":"[mock completion] Hello Ada"},'
    )


async def test_the_trace_has_render_and_model(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt="Hello {{who}}")
    result = (await run_agent(running, agent, variables={"who": "Ada"})).json()
    assert [(step["name"], step["type"], step["state"]) for step in result["steps"]] == [
        ("render", "render", "Completed"),
        ("model", "model", "Completed"),
    ]
    assert result["usage"] == {
        "prompt_tokens": 3,
        "output_tokens": 7,
        "cached_tokens": 0,
        "estimated": True,
    }
    logged = (await running.http.get(f"/api/runs/{result['run_id']}")).json()["data"]
    assert (logged["source"], logged["status"]) == ("agent", "ok")
    assert (logged["provider"], logged["output"]) == ("mock", result["result"]["output"])
    assert [step["name"] for step in logged["steps"]] == ["render", "model"]


async def test_prefect_shows_the_tasks_by_their_names(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    agent = await save_agent(running, prompt="Hello")
    result = (await run_agent(running, agent)).json()
    flow_run = ended_flow_run(prefect_server, result["flow_run_id"])
    assert flow_run["state"]["type"] == "COMPLETED"
    assert {"promptops", "agent"} <= set(flow_run["tags"])
    assert result["flow_run_url"].endswith(result["flow_run_id"])


async def test_a_failing_provider_is_a_502_with_what_was_rendered(
    running: RunningPlatform,
) -> None:
    agent = await save_agent(running, prompt="Hello {{who}}", model="mock-fail-refused")
    answer = await run_agent(running, agent, variables={"who": "Ada"})
    assert answer.status_code == 502
    failed = answer.json()
    assert (failed["rendered"], failed["code"]) == ("Hello Ada", "step_failed")
    assert failed["error"] == "step 2 (model): provider mock: the model declined to answer"
    assert [step["state"] for step in failed["steps"]] == ["Completed", "Failed"]


@pytest.mark.parametrize(
    "body",
    [{}, {"variables": None}, {"api_key": "", "base_url": "", "conversation_id": ""}],
)
async def test_what_is_empty_is_not_given(running: RunningPlatform, body: dict[str, Any]) -> None:
    agent = await save_agent(running, prompt="Hello {{who}}", provider="", model="")
    result = (await run_agent(running, agent, **body)).json()
    assert result["rendered"] == "Hello {{who}}"
    assert result["conversation_id"] is None


async def test_with_input_the_prompt_is_the_systems_message(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt="You are {{who}}", model="mock-echo")
    result = (await run_agent(running, agent, variables={"who": "kind"}, input="Hi")).json()
    assert (result["rendered"], result["result"]["output"]) == ("You are kind", "Hi")


async def test_a_fallback_answers_where_the_provider_cant(running: RunningPlatform) -> None:
    agent = await save_agent(
        running,
        prompt="Hello",
        model="mock-fail-overloaded",
        fallbacks=[{"provider": "mock", "model": "other"}],
    )
    result = (await run_agent(running, agent)).json()["result"]
    assert (result["model"], result["output"]) == ("other", "[mock completion] Hello")


async def test_a_prompt_by_reference_says_which_version_it_was(running: RunningPlatform) -> None:
    prompt = await running.create(env="prod", content="one {{x}}")
    await running.publish(prompt["id"])
    await running.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two {{x}}"})
    agent = await save_agent(running, prompt_ref={"key": prompt["key"]})
    result = (await run_agent(running, agent, variables={"x": 1})).json()
    assert result["rendered"] == "one 1"
    assert result["prompt"] == {
        "key": prompt["key"],
        "env": "prod",
        "version": "v1",
        "variant": None,
    }
    logged = (await running.http.get(f"/api/runs/{result['run_id']}")).json()["data"]
    assert logged["prompt"] == {"key": prompt["key"], "env": "prod", "version": "v1"}
    await running.publish(prompt["id"])
    assert (await run_agent(running, agent)).json()["rendered"] == "two {{x}}"
    fixed = {"prompt_ref": {"key": prompt["key"], "env": "prod", "version": "v1"}}
    saved = await running.http.put(f"/api/agents/{agent['id']}", json=fixed)
    assert saved.json()["data"]["version"] == 2
    assert (await run_agent(running, agent)).json()["prompt"]["version"] == "v1"


async def test_a_rollout_gives_a_subject_its_variant(running: RunningPlatform) -> None:
    prompt = await running.create(env="prod", content="one")
    await running.publish(prompt["id"])
    await running.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    await running.publish(prompt["id"])
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 50}
    await running.http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout)
    agent = await save_agent(running, prompt_ref={"key": prompt["key"], "env": "prod"})
    for subject in ("ada", "bob", "cy"):
        fetched = (await running.fetch(prompt["key"], subject=subject)).json()
        result = (await run_agent(running, agent, subject=subject)).json()
        assert result["prompt"]["variant"] == fetched["variant"]
        assert result["rendered"] == fetched["content"]


async def test_a_chat_prompt_stands_before_what_the_user_says(running: RunningPlatform) -> None:
    messages = [
        {"role": "system", "content": "You help {{shop}}."},
        {"role": "user", "content": "Are you open?"},
    ]
    prompt = await running.create(env="dev", messages=messages)
    reference = {"key": prompt["key"], "env": "dev"}
    agent = await save_agent(running, prompt_ref=reference, model="mock-echo")
    result = (await run_agent(running, agent, variables={"shop": "A"})).json()
    assert result["rendered"] == "You help A.\n\nAre you open?"
    assert result["result"]["output"] == "Are you open?"
    assert (await run_agent(running, agent, input="Now?")).json()["result"]["output"] == "Now?"
    refused = await run_agent(running, agent, conversation_id="c")
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("input: is required with conversation_id")


async def test_a_reference_that_leads_nowhere_is_a_404(running: RunningPlatform) -> None:
    agent = await save_agent(running, prompt_ref={"key": "missing-prompt"})
    answer = await run_agent(running, agent)
    assert answer.status_code == 404
    assert "prompt_ref: prompt 'missing-prompt'" in answer.json()["error"]


async def test_an_unknown_agent_is_a_404(running: RunningPlatform) -> None:
    answer = await running.http.post(f"/api/agents/{new_key()}/run", json={})
    assert answer.status_code == 404
