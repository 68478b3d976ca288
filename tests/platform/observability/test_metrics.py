"""/metrics, read with Prometheus's own parser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

from harness.engine import EngineProcess, use_engine
from harness.held_model import held_model
from harness.monitoring import expressions, metric_names
from harness.people import new_api_key, new_workspace
from harness.platform import (
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.processes import WAIT_SECONDS
from promptops_platform.access.permissions import Role, known_key_role, known_role
from promptops_platform.observability.counted_metrics import MOST_NAMES, Metrics, Names

FETCH = "/api/sdk/prompts/{key}"
SECONDS = "promptops_http_request_duration_seconds"


class Scraped(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Values by name and labels."""

    def value(self, name: str, **labels: str) -> float:
        """Of this one series; 0 where there is none."""
        return self.get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str, **labels: str) -> float:
        """Of all series with these labels."""
        labels_asked = frozenset(labels.items())
        return sum(
            value
            for (metric, sample_labels), value in self.items()
            if metric == name and labels_asked <= sample_labels
        )


async def scrape(platform: RunningPlatform) -> Scraped:
    answer = await platform.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Scraped(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    )


@pytest_asyncio.fixture(scope="module")
async def running(engine: EngineProcess) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    settings = await new_settings("sqlite", None, data, engine_wait_seconds=30)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform


async def ran(platform: RunningPlatform, model: str) -> None:
    await ran_step(platform, {"name": "call", "type": "model", "provider": "mock", "model": model})


async def ran_step(platform: RunningPlatform, step: dict[str, Any], **body: Any) -> None:
    answer = await platform.http.post("/api/workflows", json={"key": new_key(), "steps": [step]})
    await platform.http.post(f"/api/workflows/{answer.json()['data']['id']}/run", json=body)


async def test_requests_are_counted_by_the_template_of_their_route(
    running: RunningPlatform,
) -> None:
    before = await scrape(running)
    for _ in range(3):
        await running.http.get(f"/api/prompts/{new_key()}")
    await running.http.get(f"/v1/{new_key()}")
    await running.http.request("PROPFIND", "/api/me")
    after = await scrape(running)

    def more(**labels: str) -> float:
        name = f"{SECONDS}_count"
        return after.value(name, **labels) - before.value(name, **labels)

    assert more(route="/api/prompts/{prompt_id}", method="GET", status="4xx") == 3
    assert more(route="none", method="GET", status="4xx") == 1
    assert more(route="/api/me", method="other", status="4xx") == 1


async def test_fetches_are_counted_by_outcome(running: RunningPlatform) -> None:
    prompt = await running.create(env="prod", content="text")
    before = await scrape(running)
    etag = (await running.fetch(prompt["key"])).headers["etag"]
    url = f"/api/sdk/prompts/{prompt['key']}"
    await running.http.get(url, headers={"if-none-match": etag})
    await running.fetch(new_key())
    await running.http.get(url, headers={"authorization": "Bearer wrong"})
    after = await scrape(running)
    for outcome in ("served", "unchanged", "not_found", "unauthorized"):
        labels = {"outcome": outcome}
        name = "promptops_fetches_total"
        assert after.value(name, **labels) - before.value(name, **labels) == 1, outcome
    labels = {"route": FETCH, "method": "GET", "status": "2xx"}
    name = f"{SECONDS}_count"
    assert after.value(name, **labels) - before.value(name, **labels) == 1


async def test_what_dashboard_and_alerts_show_is_exported(running: RunningPlatform) -> None:
    text = (await running.http.get("/metrics")).text
    samples = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            suffixes = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
            samples |= {name + suffix for suffix in suffixes}
    shown = {name for expression in expressions() for name in metric_names(expression)}
    assert len(shown) > 20
    assert shown <= samples


async def test_watchers_events_and_the_feed_are_shown(running: RunningPlatform) -> None:
    before = await scrape(running)
    async with running.watch(namespace="prod") as watcher:
        await running.create(env="prod")
        await next_event(watcher)
        during = await scrape(running)
    assert during.value("promptops_watchers") == before.value("promptops_watchers") + 1
    sent = "promptops_events_sent_total"
    assert during.value(sent) == before.value(sent) + 1
    assert during.value("promptops_feed_revision") == running.platform.changes.feed.applied
    assert during.value("promptops_feed_lag_changes") == 0
    assert 0 <= during.value("promptops_feed_lag_seconds") < 5
    prompts = "promptops_snapshot_prompts"
    assert during.value(prompts) == before.value(prompts) + 1


async def test_runs_tokens_and_calls_of_models_are_counted(running: RunningPlatform) -> None:
    before = await scrape(running)
    await ran(running, "mock-a")
    await ran(running, "mock-fail-overloaded")
    after = await scrape(running)
    labels = {"source": "workflow", "status": "ok", "provider": "mock", "model": "mock-a"}
    assert after.value("promptops_run_duration_seconds_count", **labels) == 1
    assert after.total("promptops_run_duration_seconds_count", status="error") == (
        before.total("promptops_run_duration_seconds_count", status="error") + 1
    )
    tokens = {"source": "workflow", "provider": "mock", "model": "mock-a"}
    assert after.value("promptops_run_tokens_total", **tokens, direction="output") > 0
    for outcome in ("ok", "overloaded"):
        called = {"process": "engine", "provider": "mock", "outcome": outcome}
        name = "promptops_gateway_calls_total"
        assert after.value(name, **called) - before.value(name, **called) == 1
    assert after.value("promptops_runs_in_flight") == 0


async def test_a_run_under_way_is_in_flight(running: RunningPlatform) -> None:
    async with held_model() as model:
        run = asyncio.create_task(ran_step(running, model.step, **model.access))
        await model.is_asked()
        assert (await scrape(running)).value("promptops_runs_in_flight") == 1
        model.hold.release()
        await run


async def test_parts_process_and_database_are_shown(running: RunningPlatform) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while (await scrape(running)).total("promptops_up") != 5:
            await asyncio.sleep(0.1)
    metrics = await scrape(running)
    assert metrics.value("process_resident_memory_bytes") > 10_000_000
    assert metrics.value("process_open_fds") > 3
    assert metrics.value("promptops_database_connections", pool="writer", state="idle") == 1
    assert metrics.value("promptops_database_unavailable_total") == 0


async def test_no_label_holds_a_key_a_user_or_an_id(running: RunningPlatform) -> None:
    prompt = await running.create(env="prod")
    await running.fetch(prompt["key"])
    await running.http.get(f"/api/prompts/{prompt['id']}")
    text = (await running.http.get("/metrics")).text
    assert prompt["key"] not in text
    assert prompt["id"] not in text


async def test_two_platforms_count_for_themselves(
    running: RunningPlatform, data_folder: Path
) -> None:
    await running.fetch(new_key())
    settings = await new_settings("sqlite", None, data_folder)
    async with running_platform(settings) as other:
        metrics = await scrape(other)
    assert metrics.total("promptops_fetches_total") == 0
    assert metrics.total("promptops_up", part="engine") == 0


async def test_a_metrics_key_reads_the_metrics_and_nothing_else(running: RunningPlatform) -> None:
    prompt = await running.create(env="prod")
    key = await new_api_key(running, role="metrics")
    async with running.client(key) as client:
        assert (await client.get("/metrics")).status_code == 200
        for path in (f"/api/sdk/prompts/{prompt['key']}", "/api/prompts", "/api/runs", "/api/me"):
            assert (await client.get(path)).status_code == 403, path
        assert (await client.post("/api/prompts", json={"key": new_key()})).status_code == 403
    for role in ("sdk", "viewer", "editor"):
        async with running.client(await new_api_key(running, role=role)) as client:
            assert (await client.get("/metrics")).status_code == 403, role


async def test_a_metrics_key_watches_nothing(running: RunningPlatform) -> None:
    key = await new_api_key(running, role="metrics")
    with pytest.raises(InvalidStatus) as refused:
        async with running.watch(token=key):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("limit", ["workspace", "environments"])
async def test_a_metrics_key_has_no_limits_that_it_could_not_keep(
    running: RunningPlatform, limit: str
) -> None:
    value: Any = await new_workspace(running) if limit == "workspace" else ["prod"]
    body = {"name": new_key(), "role": "metrics", limit: value}
    answer = await running.http.post("/api/keys", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("role: ")


async def test_an_unlimited_admin_key_reads_them_and_a_limited_one_does_not(
    running: RunningPlatform,
) -> None:
    for limits, status in (
        ({}, 200),
        ({"environments": ["prod"]}, 403),
        ({"workspace": await new_workspace(running)}, 403),
    ):
        async with running.client(await new_api_key(running, role="admin", **limits)) as client:
            assert (await client.get("/metrics")).status_code == status, limits


def test_a_user_is_never_of_the_roles_of_keys() -> None:
    assert known_role("metrics") is Role.VIEWER
    assert known_key_role("metrics") is Role.METRICS
    assert known_key_role("of a later release") is Role.SDK


def test_names_are_bounded() -> None:
    names = Names(2)
    assert [names.bounded(name) for name in ("a", "b", "c", "a", "")] == [
        "a",
        "b",
        "other",
        "a",
        "other",
    ]
    assert len(Names().bounded("x" * 10_000)) == MOST_NAMES


async def test_strange_requests_make_no_new_series() -> None:
    metrics = Metrics()
    for number in range(50):
        scope = {"type": "http", "path": f"/{number}", "method": f"M{number}", "headers": []}
        metrics.answers.answered(scope, 404, 0.1)
    text = (await metrics.exposition()).decode()
    assert text.count(f"{SECONDS}_count{{") == 1
