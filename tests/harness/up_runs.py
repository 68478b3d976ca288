"""Runs on a real `promptops up`, each started from its own thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.held_model import HeldModel, held_model_beside
from harness.processes import eventually
from harness.up import RUN_SECONDS, PromptOps, created, run_workflow

QUICK = [{"name": "quick", "type": "transform", "op": "trim"}]


def slow(milliseconds: int) -> list[dict[str, str]]:
    """The steps of a slow workflow."""
    model = f"mock-slow-{milliseconds}ms"
    return [{"name": "slow", "type": "model", "provider": "mock", "model": model}]


Held = tuple[HeldModel, Callable[[], None]]


class Runs:
    """Running runs on a platform, each with its own thread."""

    def __init__(self, platform: PromptOps, threads: ThreadPoolExecutor) -> None:
        self.client = platform.client()
        self._threads = threads

    def workflow(self, key: str, steps: list[dict[str, str]]) -> dict[str, Any]:
        return created(self.client, "workflows", key=key, steps=steps)

    def ask(self, workflow: dict[str, Any], **body: Any) -> Future[httpx.Response]:
        return self._threads.submit(run_workflow, self.client, workflow, **body)

    def wait_for_running(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many runs of a workflow are running."""

        def running_runs() -> list[dict[str, Any]]:
            runs = self.client.get("/api/runs", params={"status": "running"}).json()["data"]
            ours = [run for run in runs if run["ref_key"] == key]
            return ours if len(ours) >= count else []

        return eventually(running_runs, seconds=RUN_SECONDS)

    def logged(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.client.get(f"/api/runs/{run_id}").json()["data"]
        return run


@contextlib.contextmanager
def runs_on(platform: PromptOps) -> Iterator[Runs]:
    with ThreadPoolExecutor() as threads:
        runs = Runs(platform, threads)
        with runs.client:
            yield runs


@pytest.fixture
def held() -> Iterator[Held]:
    with held_model_beside() as model_and_release:
        yield model_and_release


def ended_as(prefect: httpx.Client, name: str, *flow_run_ids: str) -> None:
    """Wait until Prefect shows that state of all these runs, possibly after the caller has the
    result."""

    def states() -> set[str]:
        return {prefect.get(f"flow_runs/{id_}").json()["state_name"] for id_ in flow_run_ids}

    eventually(lambda: states() == {name}, seconds=RUN_SECONDS)
