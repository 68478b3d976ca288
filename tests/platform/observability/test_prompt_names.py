"""Spans and metrics name the prompt of the registry that a run used."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from harness.agents import run_agent, save_agent
from harness.otlp import Collector, SeenSpan
from harness.people import sent
from harness.platform import RunningPlatform, new_key
from harness.workflows import run_workflow, save_workflow
from promptops_platform.observability.prompt_metrics import PromptMetrics
from promptops_platform.runlog.tables import RunRow

TEXT = "Say hello to {{who}}."


async def published(platform: RunningPlatform) -> dict[str, Any]:
    """A prompt of its own with a published version v1 and a newer working copy."""
    prompt = sent(
        await platform.http.post("/api/prompts", json={"key": new_key(), "content": TEXT})
    )
    url = f"/api/prompts/{prompt['id']}"
    sent(await platform.http.post("/api/prompts/publish", json={"id": prompt["id"]}))
    return dict(sent(await platform.http.put(url, json={"content": f"{TEXT} Be brief."})))


def prompt_attributes(prompt: dict[str, Any], version: str) -> dict[str, Any]:
    return {
        "gen_ai.prompt.name": prompt["key"],
        "gen_ai.prompt.version": version,
        "promptops.prompt.environment": prompt["env"],
    }


def of_prompts(span: SeenSpan) -> dict[str, Any]:
    return {name: value for name, value in span.attributes.items() if "prompt." in name}


async def test_an_agents_run_from_the_request_to_the_model(
    traced: RunningPlatform, collector: Collector
) -> None:
    prompt = await published(traced)
    reference = {"key": prompt["key"], "env": prompt["env"]}
    agent = await save_agent(traced, prompt_ref=reference, provider="mock")
    answer = await run_agent(traced, agent, variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    await traced.platform.tracing.close()
    ran = collector.span_named(f"invoke_agent {agent['key']}")
    served = collector.one(lambda span: span.span_id == ran.parent)
    steps = [
        collector.one(lambda span, name=name: span.name == name and span.parent == ran.span_id)
        for name in ("step render", "step model")
    ]
    called = collector.one(lambda span: span.parent == steps[1].span_id)
    for span in (served, ran, *steps, called):
        assert of_prompts(span) == prompt_attributes(prompt, "v1")


async def test_a_workflows_steps_name_the_prompts_that_they_use(
    traced: RunningPlatform, collector: Collector
) -> None:
    prompt, other = await published(traced), await published(traced)
    references = [{"key": used["key"], "env": used["env"]} for used in (prompt, other)]
    steps = [{"type": "render", "prompt": reference} for reference in references]
    plain = {"type": "transform", "op": "upper"}
    workflow = await save_workflow(traced, [*steps, plain])
    answer = await run_workflow(traced, workflow, variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    await traced.platform.tracing.close()
    ran = collector.span_named(f"invoke_workflow {workflow['key']}")
    names = [prompt["key"], other["key"]]
    assert list(ran.attributes["promptops.prompts.names"]) == names
    assert list(ran.attributes["promptops.prompts.versions"]) == ["v1", "v1"]
    for index, used in enumerate((prompt, other), 1):
        span = collector.one(
            lambda span, index=index: (
                span.parent == ran.span_id and span.attributes["promptops.step.index"] == index
            )
        )
        assert of_prompts(span) == prompt_attributes(used, "v1")
        assert span.attributes["promptops.version"] == str(workflow["version"])
    last = collector.one(lambda span: span.parent == ran.span_id and span.name == "step transform")
    assert of_prompts(last) == {}


@pytest.mark.parametrize("version", ["v1", None])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_playground_names_the_version_or_the_draft(
    traced: RunningPlatform, collector: Collector, version: str | None, stream: bool
) -> None:
    prompt = await published(traced)
    body = {"id": prompt["id"], "version": version, "variables": {"who": "Ada"}}
    answer = await traced.http.post("/api/playground/run", json={**body, "stream": stream})
    assert answer.status_code == 200, answer.text
    await traced.platform.tracing.close()
    key = prompt["key"]
    expected = prompt_attributes(prompt, version or "draft")
    called, served = (
        collector.one(
            lambda span, name=name: (
                span.name.startswith(name) and span.attributes.get("gen_ai.prompt.name") == key
            )
        )
        for name in ("chat", "POST /api/playground/run")
    )
    assert called.parent == served.span_id
    assert of_prompts(called) == of_prompts(served) == expected


async def test_without_a_prompt_of_the_registry_there_is_no_name(
    traced: RunningPlatform, collector: Collector
) -> None:
    agent = await save_agent(traced, prompt=TEXT, provider="mock")
    answer = await run_agent(traced, agent, variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    await traced.platform.tracing.close()
    ran = collector.span_named(f"invoke_agent {agent['key']}")
    spans = [span for span in collector.spans if span.trace_id == ran.trace_id]
    assert len(spans) >= 4
    assert not any(of_prompts(span) for span in spans)


async def test_the_metrics_of_a_version(traced: RunningPlatform) -> None:
    prompt = await published(traced)
    body = {"id": prompt["id"], "version": "v1", "variables": {"who": "Ada"}}
    for _ in range(2):
        answer = await traced.http.post("/api/playground/run", json=body)
        assert answer.status_code == 200, answer.text
        # It is in the log, and counted, when it can be read.
        sent(await traced.http.get(f"/api/runs/{answer.json()['run_id']}"))
    text = (await traced.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if f'gen_ai_prompt_name="{prompt["key"]}"' in line]
    [counted] = [line for line in lines if "_run_duration_seconds_count{" in line]
    assert 'gen_ai_prompt_version="v1"' in counted
    assert f'environment="{prompt["env"]}"' in counted
    assert 'status="ok"' in counted
    assert counted.endswith(" 2.0")
    assert any(line.startswith("promptops_prompt_tokens_total{") for line in lines)


def row(version: str, **fields: Any) -> RunRow:
    counts = {"latency_ms": 10, "prompt_tokens": 3, "output_tokens": 5, "cost_nanos": 7}
    names = {"prompt_key": "k", "prompt_env": "prod", "prompt_version": version}
    return RunRow(status="ok", **counts, **names | fields)


def test_the_versions_that_ran_longest_ago_make_room() -> None:
    registry = CollectorRegistry()
    metrics = PromptMetrics(registry, most=2)
    for version in ("v1", "v2", "v1", "v3"):
        metrics.run_ended(row(version))
    metrics.run_ended(row("", prompt_key=None))
    seen = {
        sample.labels["gen_ai_prompt_version"]
        for family in registry.collect()
        for sample in family.samples
    }
    assert seen == {"v1", "v3"}
    count = "promptops_prompt_run_duration_seconds_count"
    labels = {"gen_ai_prompt_name": "k", "gen_ai_prompt_version": "v1", "environment": "prod"}
    assert registry.get_sample_value(count, {**labels, "status": "ok"}) == 2
    assert registry.get_sample_value("promptops_prompt_cost_dollars_total", labels) == 14e-9
