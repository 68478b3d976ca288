"""A browser with the web console open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from harness.people import PASSWORD
from harness.platform import RunningPlatform, new_key, next_event

ADMIN = {"username": "admin", "password": "admin"}


def login_of(user: dict[str, Any]) -> dict[str, str]:
    """Log in as this user with the login form."""
    return {"username": user["username"], "password": PASSWORD}


@asynccontextmanager
async def open_console(
    platform: RunningPlatform, login: dict[str, str] = ADMIN, **query: str
) -> AsyncIterator[ClientConnection]:
    """The connection of a console, which receives all events from now on."""
    async with platform.client(None) as browser:
        answer = await browser.post("/api/session", json=login)
        assert answer.status_code == 200, answer.text
        cookie = f"promptops_session={browser.cookies['promptops_session']}"
    await platform.announced()
    params = httpx.QueryParams({"client": "console", "app": "console", **query})
    origin = f"http://127.0.0.1:{platform.port}"
    async with connect(
        f"ws://127.0.0.1:{platform.port}/ws?{params}",
        additional_headers={"cookie": cookie},
        origin=origin,  # type: ignore[arg-type]
        ping_interval=None,
    ) as connection:
        yield connection


async def events_until(
    connection: ClientConnection, platform: RunningPlatform, type_: str = "prompt.updated"
) -> list[dict[str, Any]]:
    """All events up to a new one, which every reader of `default` receives."""
    last = await platform.create(new_key(), env="prod")
    events = []
    while True:
        event = await next_event(connection)
        if event["type"] == type_ and event.get("id") == last["id"]:
            return events
        events.append(event)
