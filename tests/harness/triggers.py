"""Triggers, and webhooks signed by hand."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio

from harness.people import sent
from harness.platform import RunningPlatform, new_key, until_found
from promptops_platform.ids import new_id
from promptops_platform.triggers.tables import FiringRow

STEPS = [{"name": "say", "type": "render", "template": "Hello {{who}}"}]


async def new_workflow(platform: RunningPlatform, **fields: Any) -> str:
    """The key of a workflow."""
    body = {"key": new_key(), "steps": STEPS, **fields}
    made = sent(await platform.http.post("/api/workflows", json=body))
    return str(made["key"])


async def new_trigger(
    platform: RunningPlatform, on: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """A created trigger; it runs its own workflow unless `fields` say otherwise."""
    body = {"key": new_key(), "on": on, **fields}
    if "run" not in body and "deliver" not in body:
        variables = {"who": "{{event.key}}"}
        body["run"] = {"workflow": await new_workflow(platform), "variables": variables}
    made: dict[str, Any] = sent(await platform.http.post("/api/triggers", json=body))
    return made


async def deliveries(platform: RunningPlatform, trigger: dict[str, Any]) -> list[dict[str, Any]]:
    """The deliveries of a trigger, oldest first."""
    url = f"/api/triggers/{trigger['id']}/deliveries"
    answer = await platform.http.get(url, params={"sort": "created_at"})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


async def events(platform: RunningPlatform, trigger: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that fired a trigger, oldest first."""
    return [row["event"] for row in await deliveries(platform, trigger)]


async def failed_delivery(platform: RunningPlatform, trigger_id: str) -> str:
    """The id of a failed delivery."""
    values = {
        "id": new_id(),
        "trigger_id": trigger_id,
        "workspace_id": "default",
        "event_id": new_id(),
        "event_type": "run.failed",
        "event": json.dumps({"type": "run.failed"}),
        "message_id": f"msg_{new_id()}",
        "state": "failed",
        "tellings": 1,
        "error": "in vain",
        "created_at": datetime.now(UTC),
    }
    async with platform.platform.database.write() as transaction:
        transaction.session.add(FiringRow(**values))
    return str(values["id"])


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Written from the text of the specification, section "Signature scheme", without our own code:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    assert secret.startswith("whsec_")
    key = base64.b64decode(secret[len("whsec_") :])
    content = b".".join([message_id.encode("utf-8"), str(timestamp).encode("ascii"), body])
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def signed(
    secret: str, body: bytes, *, message_id: str | None = None, at: int | None = None
) -> dict[str, str]:
    """The headers of a message that is sent now."""
    message_id = message_id or f"msg_{new_key()}"
    at = int(time.time()) if at is None else at
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret, message_id, at, body),
    }


async def send(
    platform: RunningPlatform, trigger: dict[str, Any], payload: Any, **options: Any
) -> httpx.Response:
    """Send a signed message to the address of a trigger, without a token."""
    body = json.dumps(payload).encode()
    headers = signed(trigger["secret"], body, **options)
    async with platform.client(None) as client:
        return await client.post(hook_path(trigger), content=body, headers=headers)


def hook_path(trigger: dict[str, Any]) -> str:
    """The path of its address."""
    return httpx.URL(trigger["url"]).path


# Prefect takes seconds to handle an event on a busy machine.
LONG_SECONDS = 120.0


async def settled(
    platform: RunningPlatform,
    trigger: dict[str, Any],
    *states: str,
    number: int = 1,
) -> list[dict[str, Any]]:
    """The deliveries of a trigger, once so many have one of these states, or any state but
    waiting."""

    async def look() -> list[dict[str, Any]]:
        rows = await deliveries(platform, trigger)
        ends = [row for row in rows if row["state"] in states or not (states or is_waiting(row))]
        return rows if len(ends) >= number else []

    return await until_found(look, LONG_SECONDS * max(1, number / 50))


async def settled_firings(platform: RunningPlatform, trigger: dict[str, Any]) -> int:
    """How many firings of a trigger wait no longer; cheaper than `settled` where they are many."""

    async def total(**params: str) -> int:
        url = f"/api/triggers/{trigger['id']}/deliveries"
        answer = await platform.http.get(url, params={"limit": 1, **params})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["total"])

    # Those that begin to wait between both answers count as waiting.
    everything = await total()
    return everything - await total(state="waiting")


def is_waiting(row: dict[str, Any]) -> bool:
    return bool(row["state"] == "waiting")


@dataclass
class Receiver:
    """Receives webhooks; responds with the `statuses` in order, and with 200 afterwards. With
    `forward` it is a gateway, which forwards them before it responds."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    forward: Callable[[dict[str, str], bytes], Awaitable[None]] | None = None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.messages.append((headers, body))
        if self.forward is not None:
            await self.forward(headers, body)
        status = self.statuses.pop(0) if self.statuses else 200
        text = b"taken" if status == 200 else b"not now"
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n" % (status, len(text)))
        writer.write(b"connection: close\r\n\r\n" + text)
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver on this machine."""
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
