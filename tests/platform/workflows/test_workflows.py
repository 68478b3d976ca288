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
    ("steps", "said"),
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
    platform: RunningPlatform, steps: Any, said: str
) -> None:
    saved = await save(platform, steps=[])
    for answer in (
        await platform.http.post("/api/workflows", json={"key": new_key(), "steps": steps}),
        await platform.http.put(f"/api/workflows/{saved['id']}", json={"steps": steps}),
    ):
        assert answer.status_code == 400
        assert said in answer.json()["error"]
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
    assert [each["id"] for each in listed] == [first["id"], second["id"]]
    elsewhere = await platform.http.get("/api/workflows?workspace=nowhere")
    assert elsewhere.status_code == 404


async def test_a_taken_key_is_a_conflict(platform: RunningPlatform) -> None:
    saved = await save(platform)
    again = await platform.http.post("/api/workflows", json={"key": saved["key"]})
    assert again.status_code == 409
    assert saved["key"] in again.json()["error"]
