"""gateway: what the playground's route adds to a vendor's answer, against what a bare FastAPI route
with a bare httpx call adds to it."""

import time
from statistics import median

from bench.figures import Figure, Result, listed
from bench.http_load import HOST, Connection, connections, request
from bench.servers import TOKEN, data_folder, model_route, model_vendor, running_platform

ROUNDS = 7
CALLS = 120
CONTENT = "Say hello to Ada."


async def measure() -> Result:
    with data_folder() as data:
        async with (
            model_vendor(data) as vendor,
            model_route(data, vendor.port) as baseline,
            running_platform("serve", data) as subject,
        ):
            root = f"http://{HOST}:{vendor.port}"
            asked = {
                vendor.port: request("POST", "/v1/chat/completions", token="", body={"n": 1}),
                baseline.port: request("POST", "/ask", token="", body={"content": CONTENT}),
                subject.port: request(
                    "POST",
                    "/api/playground/run",
                    token=TOKEN,
                    body={
                        "content": CONTENT,
                        "provider": "openai-compatible",
                        "model": "bench-1",
                        "base_url": root,
                    },
                ),
            }
            taken: dict[int, list[float]] = {port: [] for port in asked}
            for port in list(asked) * (ROUNDS + 1):
                async with connections(port, 1) as (connection,):
                    taken[port].append(await _p50(connection, asked[port]))
    # The first round warms up.
    direct, bare, mine = (taken[port][1:] for port in asked)
    added = [
        (ours - vendor_alone) / (theirs - vendor_alone)
        for ours, theirs, vendor_alone in zip(mine, bare, direct, strict=True)
    ]
    return Result(
        [Figure("gateway, added time", median(added), "≤", 3)],
        [
            _raw("vendor alone", direct),
            _raw("FastAPI route with httpx", bare),
            _raw("playground", mine),
        ],
    )


async def _p50(connection: Connection, sent: bytes) -> float:
    """Milliseconds."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        answer = await connection.send(sent)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer
    return median(times)


def _raw(name: str, times: list[float]) -> str:
    return f"{name}: p50 {median(times):.2f} ms of {listed(times, 2)}"
