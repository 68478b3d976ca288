"""Runs that wait for a person, and what becomes of them."""

import asyncio
from typing import Any

from harness.approvals import STEPS, approval, approvals, asking, decide, waiting
from harness.detached_runs import ended, stored, submit
from harness.fake_engine import FakeEngine
from harness.people import new_session, new_user
from harness.platform import RunningPlatform, running_platform, until
from harness.runs import detail
from harness.trail import listed
from harness.workflows import save_workflow
from promptops_platform.settings import Settings

FORM = {
    "type": "object",
    "properties": {"amount": {"type": "number"}},
    "required": ["amount"],
    "additionalProperties": False,
}


async def test_a_run_waits_and_goes_on(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow = await save_workflow(controlled, STEPS)
    run_id = await submit(controlled, workflow)
    asked = await waiting(controlled, run_id)
    assert {"step": "ask", "position": 2, "workflow": workflow["key"]}.items() <= asked.items()
    assert (asked["message"], asked["may_decide"]) == ("Send it? draft ", True)
    run = await detail(controlled, run_id)
    assert (run["state"], run["status"], run["is_detached"]) == ("waiting", "running", True)
    assert [step["name"] for step in run["steps"]] == ["draft"]
    # Its place is free.
    await until(lambda: controlled.platform.execution.in_flight == 0)
    answer = await decide(controlled.http, asked, comment="fine")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["state"] == "approved"
    run = await ended(controlled, run_id)
    assert (run["state"], run["attempt"]) == ("completed", 2)
    assert [(step["name"], step["state"]) for step in run["steps"]] == [
        ("draft", "Completed"),
        ("ask", "Approved"),
        ("send", "Completed"),
    ]
    assert [fake.executed[run_id, place] for place in (1, 3)] == [1, 1]
    first, second = fake.requests
    assert (second.flow_run_id, second.suspended) == (run["flow_run_id"], True)
    assert (first.suspended, second.durable) == (False, True)
    assert await stored(controlled, "run_plans") == []


async def test_the_decision_is_the_output_and_the_log_says_who(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    user = await new_user(controlled, "editor")
    workflow = await save_workflow(controlled, asking(form=FORM))
    asked = await waiting(controlled, await submit(controlled, workflow))
    async with controlled.client(await new_session(controlled, user)) as client:
        for values in ({}, {"amount": "much"}, {"amount": 1, "more": 2}):
            answer = await decide(client, asked, values=values)
            assert (answer.status_code, "values: " in answer.json()["error"]) == (400, True)
        answer = await decide(client, asked, comment="checked", values={"amount": 12})
        assert answer.status_code == 200, answer.text
    run = await ended(controlled, asked["run_id"])
    step = run["steps"][1]
    by = user["username"]
    assert step["output"] == (
        f'{{"decision":"approved","by":"{by}","comment":"checked","values":{{"amount":12}}}}'
    )
    assert (step["input"], step["notes"]) == (asked["message"], [f"approved by {by}"])
    kept = fake.requests[-1].checkpoints[1].output
    assert kept.value == {
        "decision": "approved",
        "by": by,
        "comment": "checked",
        "values": {"amount": 12},
    }
    decided = await approval(controlled, asked["id"])
    assert (decided["decided_by"], decided["comment"]) == (by, "checked")
    assert (decided["values"], decided["may_decide"]) == ({"amount": 12}, False)
    (entry,) = await listed(controlled, resource="approval", resource_id=asked["id"])
    assert (entry["actor"], entry["action"]) == (by, "approve")
    assert entry["after"]["message"] == asked["message"]
    assert entry["after"]["values"] == {"amount": 12}


async def test_a_rejected_run_fails(controlled: RunningPlatform, fake: FakeEngine) -> None:
    asked = await waiting(
        controlled, await submit(controlled, await save_workflow(controlled, STEPS))
    )
    assert (await decide(controlled.http, asked, "reject", comment="no")).status_code == 200
    run = await ended(controlled, asked["run_id"])
    assert (run["state"], run["error"]) == ("failed", "step 2 (ask): rejected by admin: no")
    assert [(step["state"], step["error"]) for step in run["steps"]][1:] == [
        ("Rejected", "rejected by admin: no")
    ]
    # A retry asks again.
    fake.requests.clear()
    retried = await controlled.http.post(f"/api/runs/{run['id']}/retry")
    again = await waiting(controlled, retried.json()["data"]["id"])
    assert again["id"] != asked["id"]
    assert fake.executed[again["run_id"], 1] == 0


async def test_a_rejected_run_goes_on_where_the_step_says_so(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, asking(continue_on_error=True))
    asked = await waiting(controlled, await submit(controlled, workflow))
    assert (await decide(controlled.http, asked, "reject")).status_code == 200
    assert (await ended(controlled, asked["run_id"]))["state"] == "completed"
    assert fake.requests[-1].checkpoints[1].output.value["decision"] == "rejected"


async def test_of_two_who_decide_at_once_one_does(controlled: RunningPlatform) -> None:
    asked = await waiting(
        controlled, await submit(controlled, await save_workflow(controlled, STEPS))
    )
    answers = await asyncio.gather(
        *(decide(controlled.http, asked, action) for action in ["approve", "reject"] * 3)
    )
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    losers = [answer for answer in answers if answer.status_code == 409]
    assert len(losers) == 5
    state = winner.json()["data"]["state"]
    assert all(f"it was {state} by admin" in answer.json()["error"] for answer in losers)
    assert losers[0].json()["decided_by"] == "admin"
    run = await ended(controlled, asked["run_id"])
    assert run["state"] == {"approved": "completed", "rejected": "failed"}[state]


async def test_a_waiting_run_that_two_cancel_at_once_ends_once(
    controlled: RunningPlatform,
) -> None:
    """Of the platform, whoever asks and who looks for requests may both end it."""
    workflow = await save_workflow(controlled, STEPS)
    for _ in range(5):
        asked = await waiting(controlled, await submit(controlled, workflow))
        path = f"/api/runs/{asked['run_id']}/cancel"
        answers = await asyncio.gather(*(controlled.http.post(path) for _ in range(6)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {202, 409}, statuses
        assert 202 in statuses
        assert (await detail(controlled, asked["run_id"]))["state"] == "cancelled"


async def test_a_waiting_run_is_cancelled_at_once(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    asked = await waiting(
        controlled, await submit(controlled, await save_workflow(controlled, STEPS))
    )
    flow_run_id = (await detail(controlled, asked["run_id"]))["flow_run_id"]
    answer = await controlled.http.post(f"/api/runs/{asked['run_id']}/cancel")
    run = answer.json()["data"]
    assert (run["state"], run["cancelled_by"]) == ("cancelled", "admin")
    await until(lambda: fake.ended == [(flow_run_id, "the run was cancelled by admin")])
    assert (await approval(controlled, asked["id"]))["state"] == "closed"
    answer = await decide(controlled.http, asked)
    assert answer.status_code == 409
    assert "ended before somebody decided" in answer.json()["error"]


async def test_waiting_survives_the_platform(settings: Settings, fake: FakeEngine) -> None:
    async with running_platform(settings) as platform:
        asked = await waiting(
            platform, await submit(platform, await save_workflow(platform, STEPS))
        )
    async with running_platform(settings) as platform:
        assert await waiting(platform, asked["run_id"]) == asked
        assert fake.executed[asked["run_id"], 1] == 1
        await fake.kill()
        # Nothing executes it, but the decision stands.
        assert (await decide(platform.http, asked)).status_code == 200
    await fake.start()
    async with running_platform(settings) as platform:
        run = await ended(platform, asked["run_id"])
    assert (run["state"], run["attempt"]) == ("completed", 2)
    assert fake.executed[asked["run_id"], 1] == 1


async def test_waiting_counts_as_no_lost_attempt(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    many: list[dict[str, Any]] = [
        {"name": f"ask {at}", "type": "approval", "message": "Go on?"} for at in range(6)
    ]
    run_id = await submit(controlled, await save_workflow(controlled, [STEPS[0], *many]))
    for _ in range(6):
        assert (await decide(controlled.http, await waiting(controlled, run_id))).status_code == 200
    run = await ended(controlled, run_id)
    assert (run["state"], run["attempt"]) == ("completed", 7)
    assert fake.executed[run_id, 1] == 1


async def test_a_waited_run_is_answered_when_it_waits(controlled: RunningPlatform) -> None:
    workflow = await save_workflow(controlled, STEPS)
    url = f"/api/workflows/{workflow['id']}/run"
    for _ in range(2):
        answer = await controlled.http.post(
            url, json={"api_key": "own"}, headers={"idempotency-key": "one"}
        )
        assert answer.status_code == 202, answer.text
        assert answer.json()["data"]["state"] == "waiting"
        run_id = answer.json()["run_id"]
        assert answer.headers["location"] == f"/api/runs/{run_id}"
    assert len(await approvals(controlled, workflow=workflow["key"])) == 1
    assert (await decide(controlled.http, await waiting(controlled, run_id))).status_code == 200
    run = await ended(controlled, run_id)
    assert (run["state"], run["attempt"]) == ("completed", 2)
