"""Flow runs of schedules that several replicas are offered: one run executes each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.platform import RunningPlatform, new_key
from harness.runs import detail
from harness.schedules import delete_schedule, saved_schedule, schedule
from promptops_platform.deployments.claims import AlreadyClaimed
from promptops_platform.deployments.kinds import DueAnswer, DueRun, later, refused
from promptops_platform.runlog.tables import RunRow
from promptops_platform.schedules.tables import KIND

OVERLAPS = ["skip", "queue", "replace"]


def due_run(made: dict[str, Any], seconds: int = 0) -> DueRun:
    """One that Prefect's scheduler has made for a time of the schedule that has just come."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return DueRun(new_key(), KIND, made["id"], at, automatic=True)


async def runs_of(platform: RunningPlatform, made: dict[str, Any]) -> list[str]:
    """The states of a schedule's runs, the latest first."""
    return [run["state"] for run in (await schedule(platform, made["id"]))["last_runs"]]


async def decided(platform: RunningPlatform, due: DueRun) -> DueAnswer:
    return await platform.platform.deployments.watch.decide(due)


async def cancel_all(platform: RunningPlatform, made: dict[str, Any]) -> list[str]:
    runs = [run["id"] for run in (await schedule(platform, made["id"]))["last_runs"]]
    for run_id in runs:
        await platform.http.post(f"/api/runs/{run_id}/cancel")
    return runs


@pytest.mark.parametrize("overlap", OVERLAPS)
async def test_a_replica_that_is_later_neither_refuses_nor_replaces_the_run(
    platform: RunningPlatform, overlap: str
) -> None:
    """It has begun to decide before the other one has claimed the flow run."""
    made = await saved_schedule(platform, overlap=overlap)
    due = due_run(made)
    assert (await decided(platform, due)).outcome == "taken"
    with pytest.raises(AlreadyClaimed):
        await platform.platform.deployments.kinds.handlers[KIND].due(due)
    assert await runs_of(platform, made) == ["queued"]
    await cancel_all(platform, made)
    await delete_schedule(platform, made["id"])


class SlowerReplica:
    """Answers after another replica has claimed the flow run, as it was before."""

    def __init__(self, platform: RunningPlatform, answer: DueAnswer) -> None:
        self._handler = platform.platform.deployments.kinds.handlers[KIND]
        self._answer = answer

    async def due(self, due: DueRun) -> DueAnswer:
        assert (await self._handler.due(due)).outcome == "taken"
        return self._answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)


@pytest.mark.parametrize("answer", [refused("it still goes"), later("it still goes", 1)])
async def test_what_was_decided_before_a_claim_is_not_carried_out(
    platform: RunningPlatform, answer: DueAnswer
) -> None:
    made = await saved_schedule(platform)
    handlers = platform.platform.deployments.kinds.handlers
    own = handlers[KIND]
    handlers[KIND] = SlowerReplica(platform, answer)
    try:
        assert (await decided(platform, due_run(made))).outcome == "taken"
    finally:
        handlers[KIND] = own
    await cancel_all(platform, made)
    await delete_schedule(platform, made["id"])


async def run_elsewhere(platform: RunningPlatform, made: dict[str, Any], due: DueRun) -> None:
    """Another replica runs that flow run."""
    run_id = (await platform.http.post(f"/api/schedules/{made['id']}/run")).json()["run_id"]
    async with platform.platform.database.write() as transaction:
        run = await transaction.session.get_one(RunRow, run_id)
        await platform.platform.deployments.claims.claiming(due)(transaction, run)


async def test_a_time_that_another_replica_runs_is_not_waited_for(
    platform: RunningPlatform,
) -> None:
    made = await saved_schedule(platform, overlap="queue")
    first, second, third = [due_run(made, seconds) for seconds in (-3, -2, -1)]
    assert (await decided(platform, first)).outcome == "taken"
    assert (await decided(platform, second)).outcome == "later"
    await cancel_all(platform, made)
    await run_elsewhere(platform, made, second)
    # The reason is the run, not that earlier times wait.
    assert "still in progress" in (await decided(platform, third)).message
    await cancel_all(platform, made)
    await delete_schedule(platform, made["id"])


async def test_a_run_that_is_cancelled_before_it_begins_ends_its_flow_run(
    platform: RunningPlatform,
) -> None:
    made = await saved_schedule(platform)
    due = due_run(made)
    assert (await decided(platform, due)).outcome == "taken"
    (run_id,) = await cancel_all(platform, made)
    run = await detail(platform, run_id)
    assert (run["state"], run["flow_run_id"]) == ("cancelled", None)
    assert await decided(platform, due) == refused(f"Run {run_id} has ended before it began")
    await delete_schedule(platform, made["id"])
