"""Workflow definitions over the wire."""

from typing import Any

import pytest

from harness.platform import RunningPlatform, new_key


async def save(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    answer = await platform.http.post("/api/workflows", json={"key": new_key(), **fields})
    assert answer.status_code == 200, answer.text
    saved: dict[str, Any] = answer.json()["data"]
    return saved


async def test_what_existing_consoles_save_is_kept_as_it_is(platform: RunningPlatform) -> None:
    steps = [
        {"name": "same", "type": "render", "template": "{{x}}", "note": "kept"},
        {"name": "same", "type": "transform", "op": "upper"},
        {"type": "model", "provider": "", "model": None},
    ]
    saved = await save(platform, steps=steps, name="N", description="two\nlines")
    read = (await platform.http.get(f"/api/workflows/{saved['id']}")).json()["data"]
    assert read == saved
    assert read["steps"] == steps
    assert list(read)[:8] == [
        "id",
        "workspace_id",
        "key",
        "name",
        "description",
        "steps",
        "created_at",
        "updated_at",
    ]


async def test_a_workflow_may_be_empty(platform: RunningPlatform) -> None:
    assert (await save(platform))["steps"] == []
    assert (await save(platform, steps=None))["steps"] == []


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({}, "steps"),
        ("x", "steps"),
        ([5], "step 1"),
        ([{"name": "a", "type": "rendr"}], "step 1 (a): type 'rendr' is unknown, use one of"),
        ([{"type": "transform", "op": "reverse"}], "op 'reverse' is unknown, use one of"),
        ([{"type": "transform"}], "op"),
        ([{"type": "render", "template": 5}], "template"),
        ([{"type": "render", "template": "x" * 1_100_000}], "1,048,576"),
        ([{"type": "model", "provider": "nobody"}], "provider 'nobody'"),
        ([{"type": "render", "template": "a\u0000b"}], "U+0000"),
        ([{"type": "render", "template": "a", "x": ["\u0000"]}], "U+0000"),
    ],
)
async def test_steps_that_cannot_run_are_refused(
    platform: RunningPlatform, steps: Any, message: str
) -> None:
    saved = await save(platform, steps=[])
    for answer in (
        await platform.http.post("/api/workflows", json={"key": new_key(), "steps": steps}),
        await platform.http.put(f"/api/workflows/{saved['id']}", json={"steps": steps}),
    ):
        assert answer.status_code == 400
        assert message in answer.json()["error"]
    read = (await platform.http.get(f"/api/workflows/{saved['id']}")).json()["data"]
    assert read == saved


async def test_an_edit_counts_the_version_when_the_steps_change(
    platform: RunningPlatform,
) -> None:
    saved = await save(platform, steps=[], name="a")
    url = f"/api/workflows/{saved['id']}"
    renamed = (await platform.http.put(url, json={"name": "b", "key": "other"})).json()["data"]
    assert (renamed["name"], renamed["key"], renamed["version"]) == ("b", saved["key"], 1)
    steps = [{"type": "transform", "op": "trim"}]
    changed = (await platform.http.put(url, json={"steps": steps})).json()["data"]
    assert (changed["steps"], changed["version"], changed["name"]) == (steps, 2, "b")
    assert (await platform.http.delete(url)).json() == {"ok": True}
    assert (await platform.http.get(url)).status_code == 404


async def test_list_filters_and_shows_the_newest_change_first(platform: RunningPlatform) -> None:
    mark = new_key()
    first = await save(platform, name=f"{mark} one")
    second = await save(platform, description=f"about {mark}")
    await platform.http.put(f"/api/workflows/{first['id']}", json={"name": f"{mark} two"})
    listed = (await platform.http.get("/api/workflows", params={"q": mark})).json()["data"]
    assert [workflow["id"] for workflow in listed] == [first["id"], second["id"]]
    elsewhere = await platform.http.get("/api/workflows?workspace=nowhere")
    assert elsewhere.status_code == 404


async def test_a_taken_key_is_a_conflict(platform: RunningPlatform) -> None:
    saved = await save(platform)
    again = await platform.http.post("/api/workflows", json={"key": saved["key"]})
    assert again.status_code == 409
    assert saved["key"] in again.json()["error"]


async def problems(platform: RunningPlatform, steps: Any, **query: str) -> list[dict[str, Any]]:
    answer = await platform.http.post(
        "/api/workflows/validate", json={"steps": steps}, params=query
    )
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


async def judged(platform: RunningPlatform, **definition: Any) -> tuple[list[str], list[str]]:
    """The fields that are wrong, and the warnings."""
    answer = await platform.http.post("/api/workflows/validate", json=definition)
    assert answer.status_code == 200, answer.text
    return [row["field"] for row in answer.json()["data"]], answer.json()["warnings"]


SAY = {"name": "say", "type": "render", "template": "{{who}} {{unit}}"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, []),
        ({"output": "say", "timeout": "30s", "defaults": {"who": "Ada"}, "strict": True}, []),
        ({"output": "nobody"}, ["output"]),
        ({"timeout": "soon"}, ["timeout"]),
        ({"output": "nobody", "timeout": "soon", "strict": "no"}, ["output", "timeout", "strict"]),
        ({"defaults": [1]}, ["defaults"]),
        ({"input_schema": "none"}, ["input_schema"]),
        ({"input_schema": {"type": "nothing"}}, ["input_schema"]),
        ({"steps": [{**SAY, "type": "rendr"}], "defaults": 5}, ["type", "defaults"]),
    ],
)
async def test_the_whole_definition_is_judged(
    platform: RunningPlatform, fields: dict[str, Any], wrong: list[str]
) -> None:
    definition = {"steps": [SAY], **fields}
    assert (await judged(platform, **definition))[0] == wrong
    saved = await platform.http.post("/api/workflows", json={"key": new_key(), **definition})
    assert (saved.status_code == 200) == (not wrong), saved.text


async def test_a_judgement_warns_as_a_save_does(platform: RunningPlatform) -> None:
    definition = {
        "steps": [{**SAY, "templat": "x"}],
        "input_schema": {"type": "object", "properties": {"who": {"type": "string"}}},
        "stict": True,
    }
    wrong, warnings = await judged(platform, **definition)
    assert (wrong, len(warnings)) == ([], 3)
    saved = await platform.http.post("/api/workflows", json={"key": new_key(), **definition})
    assert saved.json()["warnings"] == warnings
    filled = {**definition, "defaults": {"unit": "kg"}}
    assert len((await judged(platform, **filled))[1]) == 2


async def test_all_steps_that_cannot_run_are_named_at_once(platform: RunningPlatform) -> None:
    steps = [
        {"type": "render", "template": "fine"},
        {"name": "odd", "type": "rendr"},
        {"type": "transform", "op": "reverse"},
        5,
        {"type": "model", "provider": "mock", "fallbacks": [{"provider": "nobody"}]},
    ]
    listed = await problems(platform, steps)
    assert [(problem["step"], problem["field"]) for problem in listed] == [
        (1, "type"),
        (2, "op"),
        (3, None),
        (4, "fallbacks"),
    ]
    assert listed[0]["error"].startswith("step 2 (odd): type 'rendr' is unknown, use one of")
    assert await problems(platform, steps[:1]) == []
    assert await problems(platform, []) == []
    (whole,) = await problems(platform, {"a": 1})
    assert (whole["step"], whole["field"]) == (None, None)


async def test_a_provider_is_looked_for_in_the_workspace(platform: RunningPlatform) -> None:
    name = new_key()[:40]
    sent = {"name": name, "kind": "mock"}
    made = await platform.http.post("/api/providers", json=sent, params={"workspace": "default"})
    assert made.status_code == 200, made.text
    steps = [{"type": "model", "provider": name}]
    assert await problems(platform, steps) == []
    other = await platform.http.post("/api/workspaces", json={"name": new_key()})
    (problem,) = await problems(platform, steps, workspace=other.json()["data"]["id"])
    assert problem["field"] == "provider"


async def test_an_edit_of_another_version_than_the_newest_is_refused(
    platform: RunningPlatform,
) -> None:
    saved = await save(platform, steps=[{"type": "render", "template": "one"}])
    url = f"/api/workflows/{saved['id']}"
    two = {"steps": [{"type": "render", "template": "two"}], "if_version": 1}
    assert (await platform.http.put(url, json=two)).json()["data"]["version"] == 2
    late = {"steps": [{"type": "render", "template": "three"}], "if_version": 1}
    refused = await platform.http.put(url, json=late)
    assert refused.status_code == 409
    body = refused.json()
    assert body["code"] == "edited_meanwhile"
    assert "if_version 2" in body["error"]
    assert body["current"]["steps"] == two["steps"]
    # What existing consoles send back whole is no precondition.
    whole = {**saved, "name": "renamed"}
    assert (await platform.http.put(url, json=whole)).status_code == 200
