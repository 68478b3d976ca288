"""fetch: answers a second, against the same answer through an ordinary FastAPI route; unchanged:
with `If-None-Match`, against the plain fetch."""

import hashlib
from statistics import median

from bench.figures import Figure, Result, listed, median_ratio
from bench.http_load import rate, request
from bench.servers import TOKEN, Server, data_folder, fastapi_route, running_platform

ROUNDS = 8
SECONDS = 2.0
KEYS = 100
CONTENT = "You are a careful assistant. Answer {{question}} for {{name}}.\n" * 16


async def measure() -> Result:
    fetches = [request("GET", f"/api/sdk/prompts/key-{n}", token=TOKEN) for n in range(KEYS)]
    with data_folder() as data:
        async with running_platform("serve", data) as subject, fastapi_route(data) as baseline:
            await _fill(subject, baseline)
            await _same_answers(subject, baseline)
            rates: dict[Server, list[float]] = {subject: [], baseline: []}
            for server in (subject, baseline) * (ROUNDS + 1):
                rates[server].append(await rate(server.port, fetches, seconds=SECONDS))
    # The first round warms up.
    mine, theirs = rates[subject][1:], rates[baseline][1:]
    figure = Figure("fetch", median_ratio(mine, theirs), "≥", 3)
    return Result([figure], [_raw("platform", mine), _raw("FastAPI route", theirs)])


async def unchanged() -> Result:
    """A client that holds the prompt is answered as fast as one that does not."""
    with data_folder() as data:
        async with running_platform("serve", data) as platform:
            plain, conditional = [], []
            for key in await _create(platform):
                path = f"/api/sdk/prompts/{key}"
                body = (await platform.ask("GET", path)).body
                etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
                plain.append(request("GET", path, token=TOKEN))
                conditional.append(request("GET", path, token=TOKEN, if_none_match=etag))
            mine, theirs = [], []
            for _ in range(ROUNDS + 1):
                mine.append(await rate(platform.port, conditional, seconds=SECONDS, expected=304))
                theirs.append(await rate(platform.port, plain, seconds=SECONDS))
    mine, theirs = mine[1:], theirs[1:]
    figure = Figure("fetch unchanged", median_ratio(mine, theirs), "≥", 0.95)
    return Result([figure], [_raw("If-None-Match", mine), _raw("plain", theirs)])


async def _create(platform: Server) -> list[str]:
    keys = [f"key-{n}" for n in range(KEYS)]
    for key in keys:
        await platform.create("/api/prompts", {"key": key, "env": "prod", "content": CONTENT})
    return keys


async def _fill(subject: Server, baseline: Server) -> None:
    for n in range(KEYS):
        key = f"key-{n}"
        prompt = {"key": key, "env": "prod", "version": "v1", "model": "m", "content": CONTENT}
        await subject.create("/api/prompts", prompt)
        assert (await baseline.ask("PUT", f"/api/sdk/prompts/{key}", prompt)).status == 200


async def _same_answers(subject: Server, baseline: Server) -> None:
    path = "/api/sdk/prompts/key-0"
    mine, theirs = await subject.ask("GET", path), await baseline.ask("GET", path)
    assert mine.json() == theirs.json(), f"{mine} is not {theirs}"


def _raw(name: str, rates: list[float]) -> str:
    return f"{name}: median {median(rates):,.0f} requests/s of {listed(rates)}"
