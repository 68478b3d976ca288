"""Who decides about change requests, and when they can't be applied."""

import asyncio

import pytest

from harness.change_requests import Team, decide, proposed
from harness.people import new_api_key, sent
from harness.platform import TOKEN


async def publish_two(team: Team, approvals: int = 1, **settings: bool) -> tuple[dict, dict]:  # type: ignore[type-arg]
    """A prompt that serves `one`, and the request to serve `two`."""
    prompt = await team.prompt("one")
    await team.guard(approvals, **settings)
    await team.edit(prompt, "two")
    answer = await team.ada.post("/api/prompts/publish", json={"id": prompt["id"]})
    return prompt, proposed(answer)


async def test_api_keys_and_the_static_token_are_no_persons(team: Team) -> None:
    _, request = await publish_two(team)
    key = await new_api_key(team.platform, role="admin", workspace=team.workspace)
    for token in (key, TOKEN):
        async with team.platform.client(token) as client:
            for action in ("approve", "reject"):
                refused = await decide(client, request, action, comment="Yes.")
                assert refused.status_code == 403
                assert "only people" in refused.json()["error"]
            assert (await decide(client, request, "comments", comment="CI is green.")).is_success


async def test_an_admins_key_proposes_for_its_maker(team: Team) -> None:
    """Who has made a key can't approve what it proposes."""
    prompt = await team.prompt("one", "two")
    await team.guard()
    body = {"name": "ci", "role": "editor", "workspace": team.workspace}
    key = sent(await team.cy.post("/api/keys", json=body))["key"]
    async with team.platform.client(key) as client:
        order = {"id": prompt["id"], "version": "v1"}
        request = proposed(await client.post("/api/prompts/rollback", json=order))
    assert (await decide(team.cy, request, "approve")).status_code == 403
    sent(await decide(team.bob, request, "approve"))


async def test_in_a_protected_environment_editors_propose_and_admins_decide(team: Team) -> None:
    prompt, request = await publish_two(team, protected=True)
    for action in ("approve", "apply"):
        refused = await decide(team.bob, request, action)
        assert (refused.status_code, refused.json()["error"]) == (
            403,
            "forbidden: requires admin role",
        )
    sent(await decide(team.cy, request, "approve"))
    sent(await decide(team.cy, request, "apply"))
    assert await team.served(prompt) == "two"


async def test_a_request_is_rejected_or_withdrawn_once(team: Team) -> None:
    prompt, request = await publish_two(team)
    assert (await decide(team.ada, request, "reject", comment="No.")).status_code == 403
    assert (await decide(team.bob, request, "reject", comment=" ")).status_code == 400
    assert (await decide(team.bob, request, "withdraw")).status_code == 403
    rejected = sent(await decide(team.bob, request, "reject", comment="Too short."))
    assert (rejected["state"], rejected["events"][-1]["comment"]) == ("rejected", "Too short.")
    for action in ("approve", "apply", "withdraw", "refresh"):
        assert (await decide(team.ada, request, action)).status_code in (403, 409)
    body = {"id": prompt["id"]}
    second = proposed(await team.ada.post("/api/prompts/publish", json=body))
    assert second["id"] != request["id"]
    repeated = proposed(await team.ada.post("/api/prompts/publish", json=body))
    assert repeated["id"] == second["id"], "the same change is one request"
    assert sent(await decide(team.ada, second, "withdraw"))["state"] == "withdrawn"
    listed = (await team.bob.get("/api/change-requests?state=closed")).json()
    assert {row["id"] for row in listed["data"]} == {request["id"], second["id"]}
    assert (await team.bob.get("/api/change-requests?mine=true")).json()["total"] == 0
    assert (await team.ada.get("/api/change-requests?mine=true")).json()["total"] == 2


async def test_of_those_who_apply_at_once_one_does(team: Team) -> None:
    prompt, request = await publish_two(team)
    sent(await decide(team.bob, request, "approve"))
    answers = await asyncio.gather(
        *(decide(client, request, "apply") for client in (team.ada, team.bob, team.cy))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    moves = sent(await team.ada.get(f"/api/prompts/{prompt['id']}/history"))
    assert [move["version"] for move in moves if move["action"] == "publish"] == ["v2", "v1"]


async def test_a_request_is_outdated_when_something_else_is_served(team: Team) -> None:
    prompt, first = await publish_two(team)
    await team.edit(prompt, "three")
    body = {"id": prompt["id"]}
    second = proposed(await team.ada.post("/api/prompts/publish", json=body))
    for request in (first, second):
        sent(await decide(team.bob, request, "approve"))
    sent(await decide(team.bob, second, "apply"))
    url = f"/api/change-requests/{first['id']}"
    reason = f"'prod' serves v3 of '{prompt['key']}' now; it served v1 when this was proposed"
    outdated = sent(await team.ada.get(url))
    assert outdated["outdated"] == reason
    assert reason in outdated["refusals"]["apply"]
    refused = await decide(team.bob, first, "apply")
    assert (refused.status_code, refused.json()["code"]) == (409, "change_request_outdated")
    assert (await decide(team.bob, first, "refresh")).status_code == 403
    fresh = sent(await decide(team.ada, first, "refresh"))
    assert (fresh["outdated"], fresh["approvals"], fresh["before_version"]) == (None, [], "v3")
    assert "-three" in fresh["diff"]["prompt"]["content"]
    assert (await decide(team.bob, first, "apply")).status_code == 409
    sent(await decide(team.bob, first, "approve"))
    sent(await decide(team.bob, first, "apply"))
    assert await team.served(prompt) == "two"


async def test_a_rollback_is_outdated_when_the_draft_that_it_discards_was_edited(
    team: Team,
) -> None:
    prompt = await team.prompt("one", "two")
    await team.guard()
    body = {"id": prompt["id"], "version": "v1"}
    request = proposed(await team.ada.post("/api/prompts/rollback", json=body))
    await team.edit(prompt, "a better idea")
    outdated = sent(await team.bob.get(f"/api/change-requests/{request['id']}"))["outdated"]
    assert outdated == f"the draft of '{prompt['key']}' was edited since this was proposed"


async def test_a_request_for_a_deleted_prompt_stays_readable(team: Team) -> None:
    prompt, request = await publish_two(team)
    await team.guard(approvals=0)
    sent(await team.ada.delete(f"/api/prompts/{prompt['id']}"))
    row = sent(await team.bob.get(f"/api/change-requests/{request['id']}"))
    assert "was deleted in 'prod'" in row["outdated"]
    assert row["after"]["content"]["content"] == "two"
    assert (await decide(team.ada, request, "refresh")).status_code == 404


@pytest.mark.parametrize("allowed", [True, False])
async def test_an_admin_bypasses_approvals_where_the_environment_allows_it(
    team: Team, allowed: bool
) -> None:
    prompt, request = await publish_two(team, allow_bypass=allowed)
    body = {"bypass": True, "reason": "Customers see a typo."}
    assert (await decide(team.bob, request, "apply", **body)).status_code == 403
    assert (await decide(team.cy, request, "apply", bypass=True)).status_code in (400, 403)
    answer = await decide(team.cy, request, "apply", **body)
    if not allowed:
        assert answer.status_code == 403
        assert "doesn't allow to bypass approvals" in answer.json()["error"]
        return
    assert sent(answer)["bypassed"] is True
    assert await team.served(prompt) == "two"
    entries = sent(await team.cy.get(f"/api/audit?workspace={team.workspace}&action=bypass"))
    assert "without the required approvals: Customers see a typo." in entries[0]["summary"]


async def test_what_can_not_be_proposed_is_refused_with_the_way_to_do_it(team: Team) -> None:
    await team.guard(approvals=2)
    body = {"key": "new-one", "env": "prod", "content": "x", "workspace": team.workspace}
    refused = await team.ada.post("/api/prompts", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "approvals_needed")
    assert refused.json()["error"] == (
        "env: 'prod' asks for 2 approvals before something else is served there, so make the "
        "prompt in another environment and promote it"
    )
    made = sent(await team.ada.post("/api/prompts", json={**body, "env": "dev"}))
    moved = await team.ada.put(f"/api/prompts/{made['id']}", json={"env": "prod"})
    assert moved.status_code == 409
    assert "promote the prompt instead of moving it" in moved.json()["error"]


async def test_the_sample_is_not_held_up(team: Team) -> None:
    await team.guard()
    body = {"workspace": team.workspace}
    sent(await team.cy.post("/api/sample", json=body))
    sent(await team.cy.delete("/api/sample", params=body))
