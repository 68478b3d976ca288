"""How often Prefect is notified of a firing that waits for its flow run."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from harness.platform import RunningPlatform, new_key
from harness.triggers import failed_delivery, new_trigger
from promptops_platform.triggers import repository
from promptops_platform.triggers.prefect_notifier import pauses_between_events
from promptops_platform.triggers.tables import FiringRow

HOUR = timedelta(hours=1)


async def waiting(
    platform: RunningPlatform, trigger_id: str, tellings: int, told_at: datetime | None
) -> str:
    """The id of a firing that was sent so many times, last at that time."""
    firing_id = await failed_delivery(platform, trigger_id)
    async with platform.platform.database.write() as transaction:
        row = await transaction.session.get_one(FiringRow, firing_id)
        row.state, row.error = "waiting", ""
        row.tellings, row.told_at = tellings, told_at
    return firing_id


async def sent_now(platform: RunningPlatform, now: datetime, limit: int = 100) -> list[str]:
    async with platform.platform.database.read() as transaction:
        rows = await repository.unsent(
            transaction.session, now, pauses_between_events(), limit=limit
        )
        return [firing.id for firing, _ in rows]


def test_each_pause_is_twice_the_one_before_and_at_most_an_hour() -> None:
    pauses = pauses_between_events()
    assert pauses[0] == timedelta(seconds=60)
    assert all(later == min(2 * pause, HOUR) for pause, later in pairwise(pauses))
    assert pauses[-1] == HOUR


async def test_repeated_events_do_not_grow_the_backlog_of_prefect(
    module_platform: RunningPlatform,
) -> None:
    # Prefect does not know of a trigger that is off, so that nothing else sends its firings.
    on = {"event": "prompt.published", "key": new_key()}
    trigger = await new_trigger(module_platform, on, enabled=False)
    now = datetime.now(UTC)
    ago = {count: now - timedelta(seconds=30 * 2**count) for count in range(1, 6)}
    due = {
        count: await waiting(module_platform, trigger["id"], count, at - timedelta(seconds=1))
        for count, at in ago.items()
    }
    for count, at in ago.items():
        await waiting(module_platform, trigger["id"], count, at + timedelta(seconds=5))
    often = await waiting(module_platform, trigger["id"], 40, now - HOUR - timedelta(seconds=1))
    await waiting(module_platform, trigger["id"], 40, now - HOUR + timedelta(seconds=5))
    new = await waiting(module_platform, trigger["id"], 0, None)
    # The newest events go first: repeated ones must not keep them from Prefect.
    assert await sent_now(module_platform, now) == [
        new,
        *(due[count] for count in range(1, 6)),
        often,
    ]
    assert await sent_now(module_platform, now, limit=1) == [new]
