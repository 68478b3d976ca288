"""Connections to model providers for tests, created over the API."""

from typing import Any

from harness.people import sent
from harness.platform import RunningPlatform, new_key

# Long enough for a hint, and recognizable wherever it leaks.
SECRET = "sk-live-7f3a9c51e2-END4"
URL = "/api/providers"


async def new_connection(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    """A connection of kind mock with a unique name, and a key."""
    body = {"name": new_name(), "kind": "mock", "api_key": SECRET, **fields}
    made: dict[str, Any] = sent(await platform.http.post(URL, json=body))
    return made


def new_name() -> str:
    """A unique connection name."""
    return new_key()[-40:]
