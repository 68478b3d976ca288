"""Change requests that are applied at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.change_requests import Team, decide, proposed
from harness.people import sent
from promptops_platform.change_requests.tables import TIMER
from promptops_platform.deployments.kinds import DueAnswer, DueRun

AT = datetime.now(UTC) + timedelta(days=1)


async def scheduled(team: Team) -> tuple[dict[str, Any], dict[str, Any]]:
    """A prompt that serves `two`, and a request to serve `one` tomorrow."""
    await team.guard(approvals=0)
    prompt = await team.prompt("one", "two")
    await team.guard()
    body = {"id": prompt["id"], "version": "v1"}
    request = proposed(await team.ada.post("/api/prompts/rollback", json=body))
    row = sent(await decide(team.ada, request, "schedule", apply_at=AT.isoformat()))
    assert datetime.fromisoformat(row["apply_at"]) == AT
    return prompt, request


async def let_timer_go_off(team: Team, request: dict[str, Any]) -> DueAnswer:
    """What Prefect's flow run does when its time has come."""
    due = DueRun("flow-run", TIMER, request["id"], AT, automatic=False)
    return await team.platform.platform.deployments.timers.fire(due)


async def read(team: Team, request: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = sent(await team.ada.get(f"/api/change-requests/{request['id']}"))
    return row


async def test_a_request_is_applied_at_its_time(team: Team) -> None:
    prompt, request = await scheduled(team)
    sent(await decide(team.bob, request, "approve"))
    assert await team.served(prompt) == "two"
    assert (await let_timer_go_off(team, request)).outcome == "done"
    assert await team.served(prompt) == "one"
    row = await read(team, request)
    assert (row["state"], row["closed_by"], row["apply_at"]) == ("applied", "system", None)
    assert (await let_timer_go_off(team, request)).message == "Nothing was left to do"


async def test_a_request_without_approvals_stays_open_at_its_time(team: Team) -> None:
    prompt, request = await scheduled(team)
    await let_timer_go_off(team, request)
    row = await read(team, request)
    assert (row["state"], row["apply_at"]) == ("open", None)
    assert row["events"][-1]["action"] == "apply_failed"
    assert row["events"][-1]["comment"].startswith("the request has 0 of 1 approvals")
    assert await team.served(prompt) == "two"


async def test_an_outdated_request_is_not_applied_at_its_time(team: Team) -> None:
    prompt, request = await scheduled(team)
    sent(await decide(team.bob, request, "approve"))
    await team.edit(prompt, "an idea")
    await let_timer_go_off(team, request)
    row = await read(team, request)
    assert (row["state"], row["events"][-1]["action"]) == ("open", "apply_failed")
    assert await team.served(prompt) == "two"


async def test_a_closed_or_unscheduled_request_has_no_timer(team: Team) -> None:
    _, withdrawn = await scheduled(team)
    sent(await decide(team.ada, withdrawn, "withdraw"))
    _, called_off = await scheduled(team)
    assert sent(await decide(team.ada, called_off, "schedule", apply_at=None))["apply_at"] is None
    for request in (withdrawn, called_off):
        assert (await let_timer_go_off(team, request)).message == "Nothing was left to do"
    refused = await decide(team.ada, called_off, "schedule", apply_at="2020-01-01T00:00:00Z")
    assert refused.status_code == 400
    assert "is in the past" in refused.json()["error"]
