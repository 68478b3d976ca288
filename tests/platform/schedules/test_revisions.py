"""Editors of schedules and triggers who say which state they have seen."""

from typing import Any

import pytest

from harness.platform import RunningPlatform
from harness.schedules import saved_schedule
from harness.triggers import new_trigger

EDITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "schedules": ({"cron": "0 4 * * *"}, {"cron": "0 5 * * *"}),
    "triggers": ({"on": {"event": "run.failed"}}, {"on": {"event": "run.completed"}}),
}


async def made(platform: RunningPlatform, kind: str) -> dict[str, Any]:
    if kind == "schedules":
        return await saved_schedule(platform)
    return await new_trigger(platform, {"event": "prompt.published"})


@pytest.mark.parametrize("kind", list(EDITS))
async def test_an_edit_of_an_older_state_is_refused(platform: RunningPlatform, kind: str) -> None:
    resource = await made(platform, kind)
    url, (first, second) = f"/api/{kind}/{resource['id']}", EDITS[kind]
    assert (await platform.http.get(url)).headers["etag"] == '"1"'
    seen = {"if-match": '"1"'}
    answer = await platform.http.put(url, json=first, headers=seen)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"'), answer.text
    assert answer.json()["data"]["revision"] == 2
    for headers, body in (seen, second), ({}, {**second, "if_revision": 1}):
        late = await platform.http.put(url, json=body, headers=headers)
        assert (late.status_code, late.json()["code"]) == (409, "edited_meanwhile"), late.text
        refusal = late.json()
        (name,) = second
        assert refusal["current"][name] == first[name]
        assert refusal["mine"] == second
        assert "if_revision 2" in refusal["error"]
    answer = await platform.http.put(url, json={**second, "if_revision": 2})
    assert answer.json()["data"]["revision"] == 3


@pytest.mark.parametrize("kind", list(EDITS))
async def test_a_deletion_of_an_older_state_is_refused(
    platform: RunningPlatform, kind: str
) -> None:
    resource = await made(platform, kind)
    url, (edit, _) = f"/api/{kind}/{resource['id']}", EDITS[kind]
    assert (await platform.http.put(url, json=edit)).status_code == 200
    late = await platform.http.delete(url, headers={"if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (409, "edited_meanwhile"), late.text
    assert (await platform.http.delete(url, headers={"if-match": '"2"'})).status_code == 200


@pytest.mark.parametrize("kind", list(EDITS))
async def test_header_and_body_must_agree(platform: RunningPlatform, kind: str) -> None:
    resource = await made(platform, kind)
    body = {**EDITS[kind][0], "if_revision": 1}
    url = f"/api/{kind}/{resource['id']}"
    answer = await platform.http.put(url, json=body, headers={"if-match": '"2"'})
    assert answer.status_code == 400, answer.text
