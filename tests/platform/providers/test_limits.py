"""How long a connection's provider may take."""

from typing import Any

import httpx
import pytest

from harness.connections import URL, new_connection
from harness.people import sent
from harness.platform import RunningPlatform
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_protocol import decode, encode
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.steps.models import Connection
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.access.actor import STATIC_TOKEN

LIMITS = ("first_token_seconds", "answer_seconds")


def limits(connection: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(connection[name] for name in LIMITS)


async def test_limits_are_stored_and_edited(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    assert limits(made) == (None, None)
    url = f"{URL}/{made['id']}"
    for body, expected in (
        ({"first_token_seconds": 900, "answer_seconds": 3600}, (900, 3600)),
        ({"answer_seconds": 30}, (900, 30)),
        ({"model": "m"}, (900, 30)),
        ({"first_token_seconds": None}, (None, 30)),
    ):
        assert limits(sent(await platform.http.put(url, json=body))) == expected
        assert limits(sent(await platform.http.get(url))) == expected


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [0, -1, 3601, 2**63, 1.5, "soon", []])
async def test_a_limit_that_is_none_is_refused(
    platform: RunningPlatform, name: str, value: Any
) -> None:
    made = await new_connection(platform)
    answer = await platform.http.put(f"{URL}/{made['id']}", json={name: value})
    assert answer.status_code == 400
    assert name in answer.json()["error"]
    assert limits(sent(await platform.http.get(f"{URL}/{made['id']}"))) == (None, None)


@pytest.mark.parametrize(
    ("name", "stream", "message"),
    [
        ("first_token_seconds", True, "no first token within 1 seconds"),
        ("answer_seconds", True, "no whole answer within 1 seconds"),
        ("answer_seconds", False, "no whole answer within 1 seconds"),
    ],
)
async def test_the_playground_waits_as_long(
    platform: RunningPlatform, name: str, stream: bool, message: str
) -> None:
    answer, hold = Answer.of_events(openai.CHAT_STREAM).held_after(0)
    async with fake_vendor(answer) as vendor:
        made = await new_connection(
            platform, kind="openai-compatible", base_url=vendor.url, **{name: 1}
        )
        body = {"content": "Hi", "provider": made["name"], "stream": stream}
        got: httpx.Response = await platform.http.post("/api/playground/run", json=body)
        hold.release()
    assert got.status_code == 502
    assert (got.json()["reason"], message in got.json()["error"]) == ("timeout", True)


async def test_the_engine_is_told(platform: RunningPlatform) -> None:
    made = await new_connection(platform, first_token_seconds=900, answer_seconds=3000)
    targets = platform.platform.providers.lookup.connected(
        "default", [made["name"]], actor=STATIC_TOKEN
    )
    connection = Connection.of(targets[0])
    request = RunRequest("r", "w", "k", "n", "v1", WorkflowPlan(()), {}, connections=(connection,))
    received = decode(encode(request))
    assert isinstance(received, RunRequest)
    assert received.connections[0].first_token_seconds == 900
    assert received.connections[0].answer_seconds == 3000
