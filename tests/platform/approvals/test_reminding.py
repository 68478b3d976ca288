"""Triggers that are fired when an approval begins to wait, and at its reminders."""

from datetime import datetime, timedelta

import pytest

from harness.approvals import approval, decide, new_approval
from harness.platform import RunningPlatform
from harness.triggers import events, new_trigger
from promptops_flows.definitions.workflow import parse_workflow
from promptops_flows.steps.fields import DefinitionError
from promptops_platform.approvals.reminding import TIMER
from promptops_platform.deployments.tables import TimerRow


async def due_at(platform: RunningPlatform, approval_id: str) -> datetime | None:
    async with platform.platform.database.read() as transaction:
        row = await transaction.session.get(TimerRow, (TIMER, approval_id))
        return None if row is None else row.at


async def fire(platform: RunningPlatform, approval_id: str) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.approvals.reminders.fire(transaction, approval_id)


async def test_each_reminder_fires_once_until_the_decision(platform: RunningPlatform) -> None:
    on = {"step": "ask", "workflow": "refund-*"}
    asked, reminded = [
        await new_trigger(platform, {"event": f"approval.{name}", **on})
        for name in ("waiting", "reminder")
    ]
    reminders = ["30m", "1h", "2h"]
    approval_id = await new_approval(
        platform, key=f"refund-{asked['id']}", reminders=reminders, deadline="3h"
    )
    row = await approval(platform, approval_id)
    assert row["reminders"] == [1800, 3600, 7200]
    begun = datetime.fromisoformat(row["created_at"])
    (event,) = await events(platform, asked)
    assert (event["type"], event["approval_id"]) == ("approval.waiting", approval_id)
    assert (event["message"], event["step"], event["reminder"]) == ("Send it?", "ask", 0)
    assert event["url"].endswith(f"/w/default/runs/{row['run_id']}")
    for number, hours in ((1, 1.0), (2, 2.0)):
        await fire(platform, approval_id)
        fired = await events(platform, reminded)
        assert [event["reminder"] for event in fired] == list(range(1, number + 1))
        assert await due_at(platform, approval_id) == begun + timedelta(hours=hours)
    assert (await decide(platform.http, row)).status_code == 200
    assert await due_at(platform, approval_id) is None
    await fire(platform, approval_id)
    assert len(await events(platform, reminded)) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reminders": ["soon"]}, "give a duration"),
        ({"reminders": "30m"}, "give at most 20 durations"),
        ({"reminders": ["2h"], "deadline": "1h"}, "not before the deadline"),
    ],
)
def test_reminders_that_can_not_be_are_refused(fields: dict[str, object], words: str) -> None:
    step = {"name": "ask", "type": "approval", "message": "Send it?", **fields}
    with pytest.raises(DefinitionError, match=words):
        parse_workflow({"steps": [step]})
