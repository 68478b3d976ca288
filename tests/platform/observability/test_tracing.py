"""One trace from the caller's request through platform, engine and gateway."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.engine import running_engine, use_engine
from harness.otlp import Collector
from harness.platform import TOKEN, RunningPlatform, new_key, new_settings, running_platform
from harness.ports import free_port
from harness.prefect_server import PrefectServer

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SECRET = "a-text-that-nobody-may-export"
SERVER, CLIENT, INTERNAL = 2, 3, 1


async def run(platform: RunningPlatform, *, model: str = "") -> tuple[str, int, dict[str, str]]:
    """Run a workflow under the caller's span; its key, the status and the answer."""
    key = new_key()
    step = {"name": "call", "type": "model", "provider": "mock", "model": model}
    steps = [{"name": "greet", "type": "render", "template": SECRET}, step]
    answer = await platform.http.post("/api/workflows", json={"key": key, "steps": steps})
    workflow = answer.json()["data"]
    answer = await platform.http.post(
        f"/api/workflows/{workflow['id']}/run?note={SECRET}",
        json={},
        headers={"traceparent": f"00-{TRACE_ID}-{CALLER}-01"},
    )
    return key, answer.status_code, answer.json()


async def test_a_run_is_one_trace_from_the_caller_to_the_model(
    traced: RunningPlatform, collector: Collector
) -> None:
    key, status, answer = await run(traced)
    assert status == 200, answer
    await traced.platform.tracing.close()
    served = collector.span_named("POST /api/workflows/{workflow_id}/run", TRACE_ID)
    ran = collector.span_named(f"invoke_workflow {key}", TRACE_ID)
    stepped = collector.one(lambda span: span.name == "step model" and span.parent == ran.span_id)
    called = collector.one(lambda span: span.name == "chat" and span.parent == stepped.span_id)
    assert (served.kind, served.parent) == (SERVER, CALLER)
    assert (ran.kind, ran.parent) == (INTERNAL, served.span_id)
    assert (served.service, ran.service) == ("promptops", "promptops-engine")
    assert ran.attributes["promptops.run_id"] == answer["run_id"]
    assert ran.attributes["prefect.flow_run_id"] == answer["flow_run_id"]
    assert ran.attributes["gen_ai.workflow.name"] == key
    assert called.kind == CLIENT
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mock",
        "gen_ai.response.model": "mock-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "promptops.usage.estimated": True,
    }.items() <= called.attributes.items()
    assert called.attributes["gen_ai.usage.input_tokens"] > 0
    assert not any(span.failed for span in (served, ran, stepped, called))


async def test_a_failure_is_marked_from_the_model_up(
    traced: RunningPlatform, collector: Collector
) -> None:
    key, status, _answer = await run(traced, model="mock-fail-overloaded")
    assert status == 502
    ran = collector.span_named(f"invoke_workflow {key}")
    stepped = collector.one(lambda span: span.name == "step model" and span.parent == ran.span_id)
    called = collector.one(lambda span: span.parent == stepped.span_id)
    assert called.name == "chat mock-fail-overloaded"
    assert called.attributes["gen_ai.request.model"] == "mock-fail-overloaded"
    errors = [span.attributes["error.type"] for span in (called, stepped, ran)]
    assert errors == ["overloaded", "step_failed", "run_failed"]
    assert called.failed
    assert stepped.failed
    assert ran.failed


async def test_no_text_of_a_run_is_exported(traced: RunningPlatform, collector: Collector) -> None:
    key, _status, _answer = await run(traced)
    await traced.platform.tracing.close()
    collector.span_named(f"invoke_workflow {key}")
    assert not [body for body in collector.bodies if SECRET.encode() in body]
    assert not [body for body in collector.bodies if TOKEN.encode() in body]


async def test_texts_are_exported_where_a_setting_says_so(
    data_folder: Path, prefect_server: PrefectServer, collector: Collector
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "PROMPTOPS_TRACE_CONTENT": "true",
    }
    settings = await new_settings("sqlite", None, data_folder, engine_wait_seconds=30)
    with running_engine(
        prefect_server.api_url, prefect_server.auth, environment=environment
    ) as process:
        async with running_platform(settings) as platform:
            use_engine(platform, process)
            key, status, _answer = await run(platform)
    assert status == 200
    ran = collector.span_named(f"invoke_workflow {key}")
    assert ran.parent == "", "the platform traces nothing here, and passes on nothing"
    called = collector.one(lambda span: span.name == "chat" and span.trace_id == ran.trace_id)
    assert json.loads(called.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    ]
    [message] = json.loads(called.attributes["gen_ai.output.messages"])
    assert message["role"] == "assistant"
    assert message["finish_reason"] == "stop"


async def test_images_and_files_are_exported_by_their_addresses(
    data_folder: Path, collector: Collector
) -> None:
    settings = await new_settings(
        "sqlite",
        None,
        data_folder,
        otel_endpoint=collector.url,
        trace_content=True,
    )
    word, pdf = new_key(), f"data:application/pdf;base64,{'A' * 1000}"
    parts = [
        {"type": "text", "text": word},
        {"type": "image_url", "image_url": {"url": "https://img.example.org/1"}},
        {"type": "file", "file": {"file_data": pdf}},
    ]
    body = {"messages": [{"role": "user", "content": parts}]}
    async with running_platform(settings) as platform:
        answer = await platform.http.post("/api/playground/run", json=body)
    assert answer.status_code == 200, answer.text
    called = collector.one(lambda span: word in span.attributes.get("gen_ai.input.messages", ""))
    [message] = json.loads(called.attributes["gen_ai.input.messages"])
    assert message["parts"] == [
        {"type": "text", "content": word},
        {"type": "uri", "modality": "image", "uri": "https://img.example.org/1"},
        {"type": "uri", "modality": "document", "uri": pdf[:60] + "…"},
    ]


async def test_no_key_is_exported_with_the_texts(data_folder: Path, collector: Collector) -> None:
    """Providers repeat what they were sent, and callers put it into variables."""
    settings = await new_settings(
        "sqlite",
        None,
        data_folder,
        otel_endpoint=collector.url,
        trace_content=True,
    )
    key, word = "sk-that-nobody-may-export", new_key()
    body = {"content": f"{word} {key}", "model": "mock-echo", "api_key": key}
    async with running_platform(settings) as platform:
        answer = await platform.http.post("/api/playground/run", json=body)
    assert answer.status_code == 200, answer.text
    called = collector.one(lambda span: word in span.attributes.get("gen_ai.output.messages", ""))
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        assert f"{word} [redacted]" in called.attributes[name]
        assert key not in called.attributes[name]


async def test_health_fetches_and_metrics_are_not_traced(
    traced: RunningPlatform, collector: Collector
) -> None:
    collector.spans.clear()
    for path in ("/health", "/ready", "/metrics", "/api/sdk/prompts/none", "/api/me"):
        await traced.http.get(path)
    await traced.platform.tracing.close()
    served = [span.name for span in collector.spans if span.kind == SERVER]
    assert served == ["GET /api/me"]


@pytest.mark.trial
@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
async def test_a_collector_that_is_away_breaks_nothing_and_holds_up_no_stop(
    data_folder: Path, *, silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        away = f"http://127.0.0.1:{port}"
        settings = await new_settings("sqlite", None, data_folder, otel_endpoint=away)
        async with running_platform(settings) as platform:
            for _ in range(50):
                assert (await platform.http.get("/api/prompts")).status_code == 200
            began = time.perf_counter()
        assert time.perf_counter() - began < 6


def test_the_platform_loads_no_exporter_without_an_endpoint() -> None:
    code = (
        "import sys, promptops_platform.server\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')"
        " or name.startswith('opentelemetry.exporter')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"
