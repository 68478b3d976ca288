"""The timetable of a schedule, as its row and for Prefect."""

from zoneinfo import ZoneInfo

from promptops_flows.protocol.deployment_messages import Timetable
from promptops_platform.errors import BadRequest
from promptops_platform.schedules.tables import ScheduleRow

FIELDS = ("cron", "interval_seconds", "rrule")
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 366 * 86_400.0


def timetable_of(row: ScheduleRow) -> Timetable:
    """Return the timetable for Prefect."""
    is_interval = row.interval_seconds is not None
    return Timetable(
        cron=row.cron,
        interval_seconds=row.interval_seconds,
        rrule=row.rrule,
        timezone=row.timezone,
        anchor=row.anchor.isoformat() if is_interval else None,
    )


def check_timezone(name: str) -> None:
    """Raises BadRequest for a zone that is not in the IANA database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadRequest(
            f"timezone: {name[:60]!r} is not an IANA time zone; use one such as Europe/Berlin, or "
            "UTC"
        ) from error


def check_cron(cron: str) -> None:
    """Raises BadRequest for an expression that Prefect interprets differently from what people
    expect."""
    fields = cron.split()
    if len(fields) != 5 and not (len(fields) == 1 and cron.startswith("@")):
        raise BadRequest(
            f"cron: {cron[:60]!r} has {len(fields)} fields; send five: minute, hour, day of the "
            "month, month, day of the week"
        )
