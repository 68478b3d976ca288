"""What schedules and triggers send to what they run is checked when they are saved."""

from typing import Any

import pytest

from harness.people import sent
from harness.platform import RunningPlatform, new_key
from harness.workflows import save_workflow

SAY = [{"name": "say", "type": "render", "template": "{{who}}"}]
SCHEMA = {
    "type": "object",
    "properties": {"who": {"type": "string"}, "times": {"type": "integer"}},
    "required": ["who"],
    "additionalProperties": False,
}
FINE = {"who": "Ada"}
WRONG = [({}, "who"), ({"who": 1}, "who"), ({"who": "Ada", "whom": "Eve"}, "whom")]
OF_EVENTS = {"who": "{{event.key}}"}
EVENT = {"event": "run.failed"}


def body(kind: str, target: dict[str, str], variables: dict[str, Any]) -> dict[str, Any]:
    if kind == "triggers":
        return {"on": EVENT, "run": {**target, "variables": variables}}
    return {"cron": "0 3 * * *", **target, "variables": variables}


async def refused(
    platform: RunningPlatform, kind: str, target: dict[str, str], variables: dict[str, Any]
) -> list[str]:
    """Why it can't be made so, and why one that is fine can't become so."""
    url, wrong = f"/api/{kind}", body(kind, target, variables)
    made = sent(await platform.http.post(url, json={"key": new_key(), **body(kind, target, FINE)}))
    answers = [
        await platform.http.post(url, json={"key": new_key(), **wrong}),
        await platform.http.put(f"{url}/{made['id']}", json=wrong),
    ]
    assert [answer.status_code for answer in answers] == [400, 400], [a.text for a in answers]
    await platform.http.delete(f"{url}/{made['id']}")
    return [answer.json()["error"] for answer in answers]


@pytest.mark.parametrize("kind", ["schedules", "triggers"])
@pytest.mark.parametrize(("variables", "field"), WRONG, ids=["missing", "type", "unknown"])
async def test_variables_that_the_input_schema_refuses_are_a_400(
    platform: RunningPlatform, kind: str, variables: dict[str, Any], field: str
) -> None:
    workflow = await save_workflow(platform, SAY, input_schema=SCHEMA)
    for error in await refused(platform, kind, {"workflow": workflow["key"]}, variables):
        assert error.startswith("variables: ")
        assert f"{field!r}" in error or f"{field}:" in error, error


@pytest.mark.parametrize(
    ("variables", "field"),
    [({"times": 1, "unknown": "{{event.key}}"}, ""), ({**OF_EVENTS, "times": "two"}, "times")],
)
async def test_of_a_trigger_what_the_event_does_not_decide_is_checked(
    platform: RunningPlatform, variables: dict[str, Any], field: str
) -> None:
    workflow = await save_workflow(platform, SAY, input_schema=SCHEMA)
    target = {"workflow": workflow["key"]}
    for error in await refused(platform, "triggers", target, variables):
        assert error.startswith(f"variables: {field}")
    for fine in (OF_EVENTS, {"who": "Ada", "times": "{{event.number}}"}):
        made = {"key": new_key(), **body("triggers", target, fine)}
        sent(await platform.http.post("/api/triggers", json=made))


async def test_what_can_not_fill_a_placeholder_of_an_agent_is_a_400(
    platform: RunningPlatform,
) -> None:
    content = [{"type": "placeholder", "name": "history"}, {"role": "user", "content": "Hi"}]
    prompt = await platform.create(prompt_type="chat", messages=content, env="prod")
    await platform.publish(prompt["id"])
    reference = {"prompt_ref": {"key": prompt["key"], "env": "prod"}}
    agent = sent(await platform.http.post("/api/agents", json={"key": new_key(), **reference}))
    await platform.http.post(f"/api/agents/{agent['id']}/publish", json={"env": "prod"})
    target = {"agent": agent["key"]}
    for error in await refused(platform, "schedules", target, {"history": "a"}):
        assert "'history'" in error
