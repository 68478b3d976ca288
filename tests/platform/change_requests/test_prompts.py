"""Changes of prompts in an environment that asks for approvals."""

from typing import Any

from harness.change_requests import Team, decide, proposed
from harness.people import sent


async def test_a_publish_takes_effect_when_it_is_approved_and_applied(team: Team) -> None:
    prompt = await team.prompt("one")
    await team.guard(approvals=1)
    await team.edit(prompt, "two")
    body = {"id": prompt["id"], "note": "Shorter."}
    request = proposed(await team.ada.post("/api/prompts/publish?wait=5s", json=body))
    assert (request["action"], request["env"], request["key"]) == ("publish", "prod", prompt["key"])
    assert (request["before_version"], request["after_version"]) == ("v1", "v2")
    assert (request["state"], request["note"]) == ("open", "Shorter.")
    assert request["summary"] == f"publish v2 of prompt {prompt['key']} in prod, which serves v1"
    assert request["before"]["content"]["content"] == "one"
    assert request["after"]["content"]["content"] == "two"
    assert "+two" in request["diff"]["prompt"]["content"]
    assert request["diff"]["prompt"]["from"] == "v1"
    assert await team.served(prompt) == "one"

    early = await decide(team.ada, request, "apply")
    assert early.status_code == 409
    assert early.json()["error"] == "the request has 0 of 1 approvals; 1 more is needed"
    own = await decide(team.ada, request, "approve")
    assert own.status_code == 403
    assert "somebody else has to approve it" in own.json()["error"]
    approved = sent(await decide(team.bob, request, "approve", comment="Reads well."))
    assert len(approved["approvals"]) == 1
    assert sent(await decide(team.bob, request, "approve"))["approvals"] == approved["approvals"]
    assert await team.served(prompt) == "one"
    await team.edit(prompt, "three")
    applied = sent(await decide(team.ada, request, "apply"))
    assert (applied["state"], applied["bypassed"]) == ("applied", False)
    assert [event["action"] for event in applied["events"]] == ["propose", "approve", "apply"]
    assert await team.served(prompt) == "two"
    draft = sent(await team.ada.get(f"/api/prompts/{prompt['id']}"))
    assert (draft["content"], draft["published_version"]) == ("three", "v2")
    again = await decide(team.bob, request, "apply")
    assert (again.status_code, again.json()["code"]) == (409, "change_request_closed")


async def test_the_audit_trail_names_author_and_approvers(team: Team) -> None:
    prompt = await team.prompt("one", "two")
    await team.guard(approvals=2)
    body = {"id": prompt["id"], "version": "v1"}
    request = proposed(await team.ada.post("/api/prompts/rollback", json=body))
    sent(await decide(team.bob, request, "approve"))
    sent(await decide(team.cy, request, "approve"))
    sent(await decide(team.bob, request, "apply"))
    entries = sent(await team.cy.get(f"/api/audit?workspace={team.workspace}&limit=10"))
    applied = next(entry for entry in entries if entry["resource"] == "change_request")
    rolled_back = next(entry for entry in entries if entry["action"] == "rollback")
    assert applied["action"] == "apply"
    assert f"applied change request {request['id']}: roll back to v1" in applied["summary"]
    assert f"proposed by {request['author']}, approved by " in applied["summary"]
    assert applied["request_id"] == rolled_back["request_id"], "both in one transaction"


async def test_each_way_to_serve_something_else_becomes_a_request(team: Team) -> None:
    prompt, source = await team.prompt("one", "two"), await team.prompt("new", env="dev")
    await team.guard()
    url = f"/api/prompts/{prompt['id']}"
    halves = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 50}
    ways: list[tuple[str, str, dict[str, Any], str]] = [
        ("POST", "/api/prompts/publish", {"id": prompt["id"], "version": "v1"}, "publish"),
        ("POST", "/api/prompts/rollback", {"id": prompt["id"], "version": "v1"}, "rollback"),
        (
            "POST",
            f"/api/prompts/{source['id']}/promote",
            {"env": "prod", "publish": True},
            "promote",
        ),
        ("POST", f"/api/prompts/{source['id']}/promote", {"env": "prod"}, "promote"),
        ("PUT", f"{url}/rollout", halves, "rollout"),
        ("DELETE", url, {}, "delete"),
    ]
    for method, path, body, action in ways:
        request = proposed(await team.ada.request(method, path, json=body))
        assert request["action"] == action
        assert await team.served(prompt) == "two"
    assert await team.served(source) is None
    listed = (await team.bob.get("/api/change-requests?state=open&env=prod")).json()
    assert listed["total"] == len(ways)
    for request in reversed(listed["data"][1:]):
        sent(await decide(team.bob, request, "approve"))
