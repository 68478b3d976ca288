"""What a workflow says beside its steps: inputs, defaults, result, and warnings about the rest."""

from typing import Any

import pytest

from harness.platform import RunningPlatform, new_key

STEPS = [{"name": "greet", "type": "render", "template": "Hello {{who}}"}]
SCHEMA = {
    "type": "object",
    "properties": {"who": {"type": "string"}, "n": {"type": "integer", "minimum": 1}},
    "required": ["who"],
}


async def created(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    body = {"key": new_key(), "steps": STEPS, **fields}
    answer = await platform.http.post("/api/workflows", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_the_fields_are_kept_and_can_be_emptied(platform: RunningPlatform) -> None:
    fields = {
        "input_schema": SCHEMA,
        "defaults": {"who": "Ada"},
        "timeout": "2m",
        "output": "greet",
        "strict": True,
    }
    saved = (await created(platform, **fields))["data"]
    assert {name: saved[name] for name in fields} == fields
    empty = {"input_schema": {}, "defaults": {}, "timeout": "", "output": "", "strict": False}
    url = f"/api/workflows/{saved['id']}"
    edited = (await platform.http.put(url, json=empty)).json()["data"]
    assert {name: edited[name] for name in fields} == empty
    assert edited["version"] == saved["version"] + 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"output": "x"}, "output 'x' is not a step"),
        ({"timeout": "soon"}, "timeout is the text 'soon', give a duration"),
        ({"input_schema": {"type": "strin"}}, "input_schema: "),
        ({"steps": [{**STEPS[0], "needs": ["greet"]}]}, "step 1 (greet): needs names the step its"),
        (
            {"steps": [{"type": "http", "url": "ftp://x"}]},
            "step 1: url must begin with http:// or https:// and a host",
        ),
        (
            {"steps": [{"type": "transform", "op": "jmespath", "expression": "a["}]},
            "step 1: expression is not valid JMESPath (",
        ),
    ],
)
async def test_what_cant_run_is_refused_naming_it(
    platform: RunningPlatform, fields: dict[str, Any], sentence: str
) -> None:
    body = {"key": new_key(), "steps": STEPS, **fields}
    answer = await platform.http.post("/api/workflows", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence), answer.text


async def test_what_has_no_effect_is_named_in_warnings(platform: RunningPlatform) -> None:
    steps = [{**STEPS[0], "retrys": 3}, {"name": "b", "type": "render", "template": "{{whom}}"}]
    answer = await created(platform, steps=steps, input_schema=SCHEMA, schedule="daily")
    assert answer["warnings"] == [
        "field 'schedule' is unknown and has no effect",
        "step 1 (greet): field 'retrys' is unknown and has no effect",
        "step 2 (b): template reads {{whom}}, which has no value",
    ]
    assert answer["data"]["steps"] == steps


async def test_a_console_that_sends_everything_back_is_not_warned(
    platform: RunningPlatform,
) -> None:
    saved = await created(platform)
    assert saved["warnings"] == []
    answer = await platform.http.put(f"/api/workflows/{saved['data']['id']}", json=saved["data"])
    assert answer.json()["warnings"] == []
