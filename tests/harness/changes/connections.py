"""Connections to model providers."""

from harness.changes.rows import CONNECTION_SECRET, Call, row
from harness.people import sent
from harness.platform import RunningPlatform, new_key


@row("POST", "/api/providers", "create")
async def _create_connection(_platform: RunningPlatform) -> Call:
    body = {"name": new_key(), "kind": "mock", "api_key": CONNECTION_SECRET}
    return Call("/api/providers", body)


@row("PUT", "/api/providers/{connection_id}", "update")
async def _update_connection(platform: RunningPlatform) -> Call:
    body = {"model": "another", "api_key": f"{CONNECTION_SECRET}-2"}
    return Call(f"/api/providers/{await connection(platform)}", body)


@row("DELETE", "/api/providers/{connection_id}", "delete")
async def _delete_connection(platform: RunningPlatform) -> Call:
    return Call(f"/api/providers/{await connection(platform)}")


@row("POST", "/api/providers/{connection_id}/test", "test")
async def _test_connection(platform: RunningPlatform) -> Call:
    return Call(f"/api/providers/{await connection(platform)}/test")


async def connection(platform: RunningPlatform) -> str:
    """The id of a new connection with a key."""
    body = {"name": new_key(), "kind": "mock", "api_key": CONNECTION_SECRET}
    return str(sent(await platform.http.post("/api/providers", json=body))["id"])
