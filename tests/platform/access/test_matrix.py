"""Who may call what: every route, for every kind of caller, in an open and a restricted workspace.

A new route needs a row in `harness/access_table.py`. Where it takes a body or a query, it needs a
line in BODIES or QUERIES of `harness/access_requests.py` as well, and a parameter of its path that
is new a line in PARAMETERS.
"""

import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness import places
from harness.access_requests import BODIES, OWN_PARAMETERS, PARAMETERS, QUERIES
from harness.access_table import EVERYWHERE, ROWS, Row
from harness.callers import new_account
from harness.fake_engine import STARTED_AT, fake_engine
from harness.people import join
from harness.places import CLASSIFIED, Place
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    next_event,
    running_platform,
)
from promptops_platform.app import ROUTERS, asgi
from promptops_platform.serving.fetch import PATH as FETCH_PATH

# Those who call these can't call anything afterwards.
ENDS_THE_SESSION = {"/api/logout", "/api/me/password", "/api/me/sessions"}
READING = {"GET", "HEAD", "WS"}


def routes(app: Any) -> set[tuple[str, str]]:
    """All routes, those that stand outside of the routers included."""
    while hasattr(app, "app"):
        app = app.app
    declared = {("GET", f"{FETCH_PATH}{{key}}"), ("HEAD", f"{FETCH_PATH}{{key}}")}
    for route in [*app.routes, *(route for router in ROUTERS for route in router.routes)]:
        if isinstance(route, WebSocketRoute):
            declared.add(("WS", route.path))
        elif isinstance(route, APIRoute | Route):
            declared |= {(method, route.path) for method in route.methods or ()}
        else:
            # The routers, as they were included.
            assert getattr(route, "original_router", None) in ROUTERS, f"what is {route}?"
    return declared


@pytest_asyncio.fixture(scope="module")
async def running(
    database_kind: DatabaseKind, request: pytest.FixtureRequest
) -> AsyncIterator[RunningPlatform]:
    """Its engine is a fake: who may start a run does not depend on what executes it."""
    data = new_data_folder()
    postgres = request.getfixturevalue("postgres") if database_kind == "postgresql" else None
    settings = await new_settings(database_kind, postgres, data, engine_wait_seconds=30)
    async with (
        fake_engine(settings.engine_socket) as engine,
        running_platform(settings) as platform,
    ):
        engine.times = (STARTED_AT,)
        engine.failing.add(places.FAILING[0]["name"])
        yield platform
    shutil.rmtree(data)


@pytest_asyncio.fixture(scope="module")
async def world(running: RunningPlatform) -> dict[str, Place]:
    places = {kind: Place(running, kind) for kind in ("open", "restricted")}
    for place in places.values():
        await place.fill()
    return places


@pytest_asyncio.fixture(scope="module")
async def client(running: RunningPlatform) -> AsyncIterator[httpx.AsyncClient]:
    """Of nobody: each request has the token of its caller."""
    async with running.client(None) as client:
        yield client


def test_the_table_knows_every_route(platform: RunningPlatform) -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert routes(asgi(platform.platform)) == set(names)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.method} {row.path}" for row in ROWS])
async def test_a_route_answers_each_caller_as_the_table_says(
    world: dict[str, Place], client: httpx.AsyncClient, row: Row
) -> None:
    got, changed = {}, []
    for kind, caller in row.expected:
        place = world[kind]
        url, body = await asked(place, row, row.expected[kind, caller])
        token = await token_of(place, row, caller)
        revision = place.platform.platform.changes.feed.applied
        got[kind, caller] = status = await call(place, client, token, row.method, url, body)
        if status >= 400 and place.platform.platform.changes.feed.applied != revision:
            changed.append((kind, caller))
    assert got == row.expected
    assert not changed, "a refused call changes nothing"


async def asked(place: Place, row: Row, expected: int) -> tuple[str, dict[str, Any] | None]:
    """Address and body of a request that acts on something real: of its own where it may change
    it."""
    may_share = row.method in READING or expected >= 400
    values = {}
    for name in re.findall(r"{(\w+)}", row.path):
        maker = OWN_PARAMETERS.get(row.name, PARAMETERS[name])
        values[name] = await (place.shared(maker) if may_share else maker(place))
    url = row.path.format(**values)
    if row.name in QUERIES:
        url = f"{url}?workspace={place.workspace}"
    body = BODIES.get(row.name)
    return url, await body(place) if callable(body) else body


async def token_of(place: Place, row: Row, caller: str) -> str | None:
    if row.path in ENDS_THE_SESSION and caller not in (*EVERYWHERE, "sdk"):
        return (await new_account(place.platform, "viewer")).token
    return place.tokens[caller]


async def call(
    place: Place, client: httpx.AsyncClient, token: str | None, method: str, url: str, body: Any
) -> int:
    if method == "WS":
        return await handshake(place.platform, token, url)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = await client.request(method, url, json=body, headers=headers, timeout=60)
    # The next caller is another one, without this one's session.
    client.cookies.clear()
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json()["error"]
    return answer.status_code


async def handshake(platform: RunningPlatform, token: str | None, url: str) -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"ws://127.0.0.1:{platform.port}{url}"
    try:
        async with connect(address, additional_headers=headers) as connection:
            return connection.response.status_code if connection.response else 0
    except InvalidStatus as refused:
        return refused.response.status_code


OF_NO_WORKSPACE = {
    "/api/sample",
    "/api/runs/stats",
    "/api/prices",
    "/api/me",
    "/api/users",
    "/api/session",
    "/api/system",
    "/api/system/findings",
    "/api/workers",
}
# Of one workspace, `default` where none is named; test_isolation asks for the closed one.
OF_ONE_WORKSPACE = {
    "/api/prompt-keys",
    "/api/prompt-keys/facets",
    "/api/prompt-keys/calls",
    "/api/prompt-keys/programs",
}
LISTS = [row for row in ROWS if row.method == "GET" and "{" not in row.path]


@pytest.mark.parametrize("row", LISTS, ids=[row.path for row in LISTS])
async def test_no_list_holds_anything_of_a_workspace_that_is_closed_to_the_caller(
    world: dict[str, Place], row: Row
) -> None:
    place = world["restricted"]
    for maker in (
        places.prompt,
        places.workflow,
        places.connection,
        places.trigger,
        places.agent,
        places.run,
        places.approval,
        places.api_key,
        places.served_key,
    ):
        await place.shared(maker)
    async with (
        place.platform.watch(
            token=place.tokens["viewer"] or "", workspace=place.workspace, app=CLASSIFIED
        ),
        place.platform.client(place.tokens["outsider"]) as client,
    ):
        answer = await client.get(row.path, params={"limit": "200"})
        assert not leaks(place, answer), f"{row.path} tells of a closed workspace"
        admin = await place.platform.http.get(row.path, params={"limit": "200"})
    if row.path not in OF_NO_WORKSPACE | OF_ONE_WORKSPACE:
        assert leaks(place, admin) == row.path.startswith("/api/"), "the test sees leaks"


def leaks(place: Place, answer: httpx.Response) -> bool:
    return CLASSIFIED in answer.text or place.workspace in answer.text


async def test_a_watch_is_told_of_a_closed_workspace_from_joining_it_on(
    world: dict[str, Place],
) -> None:
    place = world["restricted"]
    account = await new_account(place.platform, "editor")
    async with (
        place.platform.watch(token=account.token, workspace=place.workspace) as with_workspace,
        place.platform.watch(token=account.token) as unnamed,
    ):
        await places.served_key(place)
        await join(place.platform, place.workspace, {"id": account.id}, "viewer")
        key = await places.served_key(place)
        for watcher in (with_workspace, unnamed):
            assert (await next_event(watcher))["key"] == key
