"""Requests that miss the WebSocket: by the method, or by the path."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.platform import TOKEN, RunningPlatform


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/ws?since=0"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_request_without_upgrade_names_the_proxy(
    platform: RunningPlatform, method: str, path: str
) -> None:
    answer = await platform.http.request(method, path)
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    if method != "HEAD":
        assert answer.json()["code"] == "upgrade_required"
        assert "proxy" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/wss", "/api/ws", "/api/prompts", "/metrics"])
async def test_a_websocket_on_another_path_is_not_found(
    platform: RunningPlatform, path: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(f"ws://127.0.0.1:{platform.port}{path}?token={TOKEN}")
    assert refusal.value.response.status_code == 404
    assert "/ws" in refusal.value.response.body.decode()
