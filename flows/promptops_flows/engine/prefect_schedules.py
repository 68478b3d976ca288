"""Timetables as Prefect schedules: parsed, compared and evaluated by the same classes that
Prefect's scheduler uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from pydantic import BaseModel, ValidationError

from promptops_flows.engine.runs import RunRefusedError
from promptops_flows.protocol.deployment_messages import NextTimes, Timetable

_CLASSES: dict[str, type[BaseModel]] = {
    "cron": CronSchedule,
    "interval": IntervalSchedule,
    "rrule": RRuleSchedule,
}
# The start of an RRULE without DTSTART: a midnight, so that BYHOUR=9 is exactly 9:00.
_FIRST_START = "DTSTART:20200101T000000"
_DAY_SECONDS = 86_400


async def fire_times(asked: NextTimes) -> tuple[list[str], ...]:
    """Times in order, RFC 3339 in UTC; raises `RunRefusedError` with Prefect's message for an
    invalid timetable."""
    after = datetime.fromisoformat(asked.after)
    until = None if asked.until is None else datetime.fromisoformat(asked.until)
    return tuple(
        [
            [as_text(time) for time in await dates_of(timetable, asked.count, after, until)]
            for timetable in asked.timetables
        ]
    )


async def dates_of(
    timetable: Timetable, count: int | None, after: datetime, until: datetime | None
) -> list[datetime]:
    """Times from `after` to `until`, both included; raises `RunRefusedError`."""
    schedule = _schedule(schedules_of(timetable)[0])
    try:
        dates: list[datetime] = await schedule.get_dates(n=count, start=after, end=until)
    # What the libraries raise that Prefect uses for cron and RRULE.
    except (ValueError, KeyError, OverflowError) as error:
        raise RunRefusedError(str(error)) from error
    return dates


def schedules_of(timetable: Timetable | None) -> list[dict[str, Any]]:
    """No or one schedule, as JSON for Prefect."""
    if timetable is None:
        return []
    zone = {"timezone": timetable.timezone}
    if timetable.cron is not None:
        return [{"cron": timetable.cron, **zone}]
    if timetable.rrule is not None:
        rule = timetable.rrule
        whole = rule if "DTSTART" in rule.upper() else f"{_FIRST_START}\n{rule}"
        return [{"rrule": whole, **zone}]
    anchor = {} if timetable.anchor is None else {"anchor_date": timetable.anchor}
    seconds = timetable.interval_seconds or 0
    if seconds < _DAY_SECONDS:
        # Prefect computes these on the wall clock, too, and would skip the hour that occurs twice.
        zone = {"timezone": "UTC"}
    return [{"interval": seconds, **anchor, **zone}]


def normalized_schedule(fields: dict[str, Any]) -> dict[str, Any]:
    """A schedule as Prefect's API returns it, with defaults for missing fields."""
    whole: dict[str, Any] = _schedule(fields).model_dump(mode="json")
    return whole


def as_text(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(time.timestamp(), UTC).isoformat()


def _schedule(fields: dict[str, Any]) -> Any:
    kind = next(name for name in _CLASSES if fields.get(name) is not None)
    set_fields = {name: value for name, value in fields.items() if value is not None}
    try:
        return _CLASSES[kind].model_validate(set_fields)
    except ValidationError as error:
        raise RunRefusedError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
