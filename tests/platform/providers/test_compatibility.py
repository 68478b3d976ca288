"""What a connection's server takes."""

from typing import Any

import pytest

from harness.connections import URL, new_connection
from harness.people import sent
from harness.platform import RunningPlatform
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_protocol import decode, encode
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.steps.context import ModelAccess
from promptops_flows.steps.models import Connection
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.access.actor import STATIC_TOKEN
from promptops_providers.adaptation.compatibility import Compatibility

NOTHING_SET: dict[str, Any] = {
    "stream_options": None,
    "limit_parameter": None,
    "developer_role": None,
    "structured_output": None,
    "tool_call_id_length": None,
    "returns_reasoning": None,
}
ALL_SET: dict[str, Any] = {
    "stream_options": False,
    "limit_parameter": "max_completion_tokens",
    "developer_role": True,
    "structured_output": "json_object",
    "tool_call_id_length": 9,
    "returns_reasoning": False,
}


async def test_it_is_stored_edited_and_reset(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    assert made["compatibility"] == NOTHING_SET
    url = f"{URL}/{made['id']}"
    for body, expected in (
        ({"compatibility": ALL_SET}, ALL_SET),
        ({"model": "m"}, ALL_SET),
        ({"compatibility": {"stream_options": True}}, NOTHING_SET | {"stream_options": True}),
        ({"compatibility": {}}, NOTHING_SET),
        ({"compatibility": ALL_SET}, ALL_SET),
        ({"compatibility": None}, NOTHING_SET),
    ):
        assert sent(await platform.http.put(url, json=body))["compatibility"] == expected
        assert sent(await platform.http.get(url))["compatibility"] == expected
    other = await new_connection(platform, compatibility={"tool_call_id_length": 40})
    assert other["compatibility"] == NOTHING_SET | {"tool_call_id_length": 40}


async def test_what_was_read_can_be_sent_twice(platform: RunningPlatform) -> None:
    made = await new_connection(platform, compatibility=ALL_SET)
    url = f"{URL}/{made['id']}"
    for _ in range(2):
        edited = sent(await platform.http.put(url, json=made))
        assert edited["compatibility"] == ALL_SET


@pytest.mark.parametrize(
    ("switches", "field"),
    [
        ({"limit_parameter": "max_output_tokens"}, "compatibility.limit_parameter"),
        ({"structured_output": "xml"}, "compatibility.structured_output"),
        ({"stream_options": "maybe"}, "compatibility.stream_options"),
        ({"tool_call_id_length": 7}, "compatibility.tool_call_id_length"),
        ({"tool_call_id_length": 65}, "compatibility.tool_call_id_length"),
        ({"tool_call_id_length": 9.5}, "compatibility.tool_call_id_length"),
        ({"streams": True}, "compatibility.streams"),
        ("json_object", "compatibility"),
        ([], "compatibility"),
    ],
)
async def test_what_is_no_switch_is_refused(
    platform: RunningPlatform, switches: Any, field: str
) -> None:
    made = await new_connection(platform)
    body = {"compatibility": switches}
    answer = await platform.http.put(f"{URL}/{made['id']}", json=body)
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    answer = await platform.http.post(URL, json={"name": "n", "kind": "mock", **body})
    assert answer.status_code == 400


async def test_the_playground_asks_as_the_connection_says(platform: RunningPlatform) -> None:
    async with fake_vendor(Answer.of_json(openai.chat("{}"))) as vendor:
        made = await new_connection(
            platform, kind="openai-compatible", base_url=vendor.url, compatibility=ALL_SET
        )
        body = {
            "content": "Hi",
            "provider": made["name"],
            "parameters": {"max_tokens": 9},
            "output_schema": {"type": "object"},
        }
        answer = await platform.http.post("/api/playground/run", json=body)
        assert answer.status_code == 200, answer.text
        tested = sent(await platform.http.post(f"{URL}/{made['id']}/test"))
    assert tested["ok"]
    asked = vendor.requests[0].json
    assert asked["max_completion_tokens"] == 9
    assert asked["response_format"] == {"type": "json_object"}
    assert vendor.seen.json["max_completion_tokens"] == 16


async def test_the_engine_is_told(platform: RunningPlatform) -> None:
    made = await new_connection(platform, compatibility=ALL_SET)
    targets = platform.platform.providers.lookup.connected(
        "default", [made["name"]], actor=STATIC_TOKEN
    )
    assert targets[0].compatibility == Compatibility(**ALL_SET)
    request = RunRequest(
        "r", "w", "k", "n", "v1", WorkflowPlan(()), {}, connections=(Connection.of(targets[0]),)
    )
    received = decode(encode(request))
    assert isinstance(received, RunRequest)
    assert received == request
    connections = {connection.provider: connection for connection in received.connections}
    context = ModelAccess(connections=connections)
    choice = type("Choice", (), {"provider": made["name"], "model": ""})
    assert context.targets([choice])[0].compatibility == Compatibility(**ALL_SET)


async def test_the_audit_trail_has_it(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    url = f"{URL}/{made['id']}"
    sent(await platform.http.put(url, json={"compatibility": {"developer_role": False}}))
    entries = sent(await platform.http.get(f"/api/audit?resource=provider&q={made['name']}"))
    changes = [entry for entry in entries if entry["action"] == "update"]
    assert changes[0]["after"]["compatibility"] == {"developer_role": False}
