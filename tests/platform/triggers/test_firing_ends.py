"""What fired a trigger ends with its run, whoever ends that."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import text

from harness.platform import RunningPlatform, new_key
from harness.runs import detail
from harness.triggers import deliveries, new_trigger
from promptops_flows.protocol.engine_client import RunFinished
from promptops_platform.deployments.kinds import DueRun
from promptops_platform.ids import new_id
from promptops_platform.runlog.new_run import NewRun
from promptops_platform.runlog.tables import RunRow
from promptops_platform.triggers.service import KIND

RUN: dict[str, Any] = {}
DELIVER = {"deliver": {"url": "http://127.0.0.1:9/hook"}}


async def started(platform: RunningPlatform, action: dict[str, Any]) -> tuple[Any, str]:
    """A trigger, and the run that was made of its only event and waits for its turn."""
    key = new_key()
    trigger = await new_trigger(platform, {"event": "prompt.published", "key": key}, **action)
    prompt = await platform.create(key)
    await platform.publish(prompt["id"])
    (firing,) = await deliveries(platform, trigger)
    parameters = {"event": firing["id"]}
    due = DueRun(new_key(), KIND, trigger["id"], datetime.now(UTC), False, parameters=parameters)
    answer = await platform.platform.deployments.kinds.handlers[KIND].due(due)
    assert answer.outcome == "taken"
    (firing,) = await deliveries(platform, trigger)
    assert (firing["state"], firing["ended_at"]) == ("started", None)
    return trigger, firing["run_id"]


async def close(platform: RunningPlatform, run_id: str, end: RunFinished) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.close(transaction, run_id, end)


@pytest.mark.parametrize("action", [RUN, DELIVER], ids=["run", "deliver"])
async def test_a_run_that_is_cancelled_ends_what_fired_it(
    platform: RunningPlatform, action: dict[str, Any]
) -> None:
    trigger, run_id = await started(platform, action)
    await platform.http.post(f"/api/runs/{run_id}/cancel")
    (firing,) = await deliveries(platform, trigger)
    run = await detail(platform, run_id)
    assert run["state"] == "cancelled"
    assert (firing["state"], firing["error"]) == ("failed", run["error"])
    assert firing["ended_at"] is not None


async def test_a_retry_ends_it_as_well(platform: RunningPlatform) -> None:
    trigger, run_id = await started(platform, RUN)
    await close(platform, run_id, RunFinished("error", error="in vain"))
    (firing,) = await deliveries(platform, trigger)
    assert (firing["state"], firing["error"]) == ("failed", "in vain")
    retry = NewRun(new_id(), "default", "workflow", "a-workflow", retry_of=run_id)
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.open(transaction, retry)
    await close(platform, retry.id, RunFinished("ok", output="x"))
    (firing,) = await deliveries(platform, trigger)
    assert (firing["state"], firing["error"], firing["run_id"]) == ("delivered", "", retry.id)


async def test_a_delivery_whose_plan_is_gone_ends(platform: RunningPlatform) -> None:
    """Nobody knows any more which event it delivers, as its secret key is gone, for instance."""
    trigger, run_id = await started(platform, DELIVER)
    await close(platform, run_id, RunFinished("error", error="its plan is gone"))
    (firing,) = await deliveries(platform, trigger)
    assert (firing["state"], firing["error"]) == ("failed", "its plan is gone")


async def test_an_upgrade_ends_those_of_runs_that_have_ended(platform: RunningPlatform) -> None:
    (one, run_id), (gone, gone_id), (going, going_id) = [
        await started(platform, RUN) for _ in range(3)
    ]
    name = "promptops_platform.db.migrations.versions.0038_ends_of_firings"
    async with platform.platform.database.write() as transaction:
        run = await transaction.session.get_one(RunRow, run_id)
        # As a release before did it.
        run.state, run.status, run.finished_at = "completed", "ok", datetime.now(UTC)
        await transaction.session.delete(await transaction.session.get_one(RunRow, gone_id))
        await transaction.session.flush()
        await transaction.session.execute(text(import_module(name).END_OLD))
    ends = [(await deliveries(platform, trigger))[0] for trigger in (one, gone, going)]
    assert [end["state"] for end in ends] == ["delivered", "failed", "started"]
    assert [end["ended_at"] is None for end in ends] == [False, False, True]
    assert ends[1]["error"] == "its run is no longer in the log"
    await platform.http.post(f"/api/runs/{going_id}/cancel")
