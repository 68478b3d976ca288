"""The workflows that are run over the API, and how a run is asked for."""

import time
from typing import Any

from bench.http_load import Answer, Connection, request
from bench.servers import TOKEN, Server

THREE_STEPS = [
    {"name": "greet", "type": "render", "template": "  Hello {{name}}  "},
    {"name": "loud", "type": "transform", "op": "upper"},
    {"name": "tidy", "type": "transform", "op": "trim"},
]


def slow_steps(milliseconds: int) -> list[dict[str, Any]]:
    """Steps whose model takes its time."""
    model = {"type": "model", "provider": "mock", "model": f"mock-slow-{milliseconds}ms"}
    return [THREE_STEPS[0], {"name": "call", **model}, THREE_STEPS[1]]


async def run_request(platform: Server, key: str, steps: list[dict[str, Any]]) -> bytes:
    """Save the workflow, and wait for its first run: until then Prefect starts."""
    workflow_id = await platform.create("/api/workflows", {"key": key, "name": key, "steps": steps})
    path, body = f"/api/workflows/{workflow_id}/run", {"variables": {"name": "Ada"}}
    first = await platform.ask("POST", path, body)
    assert first.status == 200, first
    return request("POST", path, token=TOKEN, body=body)


async def run_times(connection: Connection, run: bytes, runs: int) -> list[float]:
    """Milliseconds of runs, one after the other."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        answer = await connection.send(run)
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status == 200, answer
    return times


def failed(answers: list[Answer | BaseException]) -> list[str]:
    """What came instead of a run's result."""
    return [
        repr(answer)[:300]
        for answer in answers
        if isinstance(answer, BaseException) or answer.status != 200
    ]
