"""Agents and workflows, created and edited in the same way."""

from typing import Any

import httpx

from harness.people import sent
from harness.platform import RunningPlatform, new_key

KINDS = ("agent", "workflow")


def content(kind: str, text: str) -> dict[str, Any]:
    """The fields of a definition that renders this text."""
    if kind == "agent":
        return {"prompt": text}
    return {"steps": [{"name": "say", "type": "render", "template": text}]}


def text_of(kind: str, definition: dict[str, Any]) -> str:
    """The text of a definition or a version."""
    if kind == "agent":
        return str(definition["prompt"])
    return str(definition["steps"][0]["template"])


class Definition:
    """One definition, by its routes."""

    def __init__(self, http: httpx.AsyncClient, kind: str, made: dict[str, Any]) -> None:
        self.http = http
        self.kind = kind
        self.id = str(made["id"])
        self.key = str(made["key"])
        self.url = f"/api/{kind}s/{self.id}"

    async def read(self) -> dict[str, Any]:
        """The working copy."""
        return sent(await self.http.get(self.url))

    async def edit(self, text: str, **fields: Any) -> dict[str, Any]:
        """The working copy after an edit."""
        return sent(await self.http.put(self.url, json=content(self.kind, text) | fields))

    async def post(self, action: str, **body: Any) -> httpx.Response:
        """The response of `publish`, `rollback`, `promote`, `versions` or `run`."""
        return await self.http.post(f"{self.url}/{action}", json=body)

    async def publish(self, **body: Any) -> dict[str, Any]:
        """The published version."""
        return sent(await self.post("publish", **body))

    async def versions(self) -> list[dict[str, Any]]:
        """Newest first."""
        return list(sent(await self.http.get(f"{self.url}/versions")))

    async def history(self) -> list[dict[str, Any]]:
        """Newest first."""
        return list(sent(await self.http.get(f"{self.url}/history")))


async def new_definition(
    platform: RunningPlatform, kind: str, text: str = "one", **fields: Any
) -> Definition:
    """A new agent or workflow with a unique key."""
    body = {"key": new_key(), **content(kind, text), **fields}
    return Definition(
        platform.http, kind, sent(await platform.http.post(f"/api/{kind}s", json=body))
    )
