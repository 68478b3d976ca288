"""Requests and responses of schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from promptops_platform.definitions.schemas import IfRevision
from promptops_platform.field_types import JsonObject, Key, Line, OptionalLine, Prose
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.schedules.repository import StartedRun
from promptops_platform.schedules.tables import ScheduleRow
from promptops_platform.schedules.timetables import LONGEST_SECONDS, SHORTEST_SECONDS

CatchUp = Literal["skip", "one", "all"]
Overlap = Literal["skip", "queue", "replace"]
NEXT_TIMES = 10
LAST_RUNS = 10

Cron = Annotated[
    Line | None,
    Field(
        max_length=200,
        description="Minute, hour, day of the month, month, day of the week; `0 7 * * mon-fri`.",
    ),
]
Interval = Annotated[float | None, Field(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]
Rule = Annotated[
    Prose | None,
    Field(
        max_length=6_500,
        description="A rule of RFC 5545: `FREQ=WEEKLY;BYDAY=MO;BYHOUR=9`. Without a `DTSTART` it "
        "counts from 2020-01-01 00:00 in the time zone.",
    ),
]
Version = Annotated[int | None, Field(ge=1, le=2**31 - 1)]
EXAMPLE: dict[str, Any] = {
    "key": "nightly-report",
    "workflow": "report",
    "env": "prod",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "variables": {"days": 1},
}


class ScheduleFields(BaseModel):
    """The fields that can be edited; exactly one of `cron`, `interval_seconds` and `rrule` is sent,
    and at most one of `version` and `env`."""

    workflow: Key | None = None
    agent: Key | None = None
    version: Version = None
    env: OptionalLine = None
    cron: Cron = None
    interval_seconds: Interval = None
    rrule: Rule = None
    timezone: Line | None = Field(default=None, max_length=64)
    variables: JsonObject | None = None
    paused: bool | None = None
    catch_up: CatchUp | None = Field(
        default=None,
        description="What happens to times that pass by more than a minute while nothing runs: "
        "`skip` runs none of them, `one` the last, `all` the last hundred.",
    )
    overlap: Overlap | None = Field(
        default=None,
        description="What happens if the previous run is still in progress: `skip` does not run, "
        "`queue` waits for its end, `replace` cancels it.",
    )


class ScheduleCreate(ScheduleFields):
    model_config = example(**EXAMPLE)

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class ScheduleEdit(ScheduleFields):
    """Absent fields keep their value. With `if_revision` the edit is refused if somebody else
    has changed the schedule since."""

    model_config = example(cron="0 4 * * *", if_revision=3)

    if_revision: IfRevision = None


class ScheduledRun(BaseModel):
    """A run that a schedule has started. `scheduled_at` is null if a person started it."""

    model_config = example(
        id="5e4f30219b8a7c6d",
        state="completed",
        created_at="2026-03-14T02:00:00.412Z",
        scheduled_at="2026-03-14T02:00:00Z",
    )

    id: str
    state: str
    created_at: datetime
    scheduled_at: datetime | None


class Schedule(Resource):
    """A schedule. `next` contains up to ten future times; it is empty while the schedule is
    paused or the run engine is unavailable. `deployment_url` is its page in Prefect, or null
    until Prefect has it."""

    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        workspace_id="default",
        **EXAMPLE,
        agent=None,
        version=None,
        interval_seconds=None,
        rrule=None,
        paused=False,
        catch_up="skip",
        overlap="skip",
        problem=None,
        revision=3,
        created_by="ada",
        updated_by="ada",
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        next=["2026-03-15T02:00:00Z", "2026-03-16T02:00:00Z"],
        deployment_url="http://127.0.0.1:4200/deployments/deployment/1d9e",
        last_runs=[],
    )

    id: str
    workspace_id: str
    key: str
    workflow: str | None
    agent: str | None
    version: int | None
    env: str | None
    cron: str | None
    interval_seconds: float | None
    rrule: str | None
    timezone: str
    variables: dict[str, Any]
    paused: bool
    catch_up: CatchUp
    overlap: Overlap
    next: list[datetime]
    deployment_url: str | None
    problem: str | None = Field(
        description="Why it does not run, or why the last due time did not start a run."
    )
    last_runs: list[ScheduledRun] = Field(description="The most recent first.")
    revision: int = Field(description="Counts the edits; also the etag.")
    created_by: str
    updated_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def shown(
        cls,
        row: ScheduleRow,
        *,
        next_times: Sequence[datetime],
        deployment_url: str | None,
        problem: str | None,
        runs: Sequence[StartedRun],
    ) -> Self:
        """Return a schedule with its times, its page in Prefect and its runs."""
        return cls.of(
            row,
            workflow=row.target_key if row.target_kind == "workflow" else None,
            agent=row.target_key if row.target_kind == "agent" else None,
            next=list(next_times),
            deployment_url=deployment_url,
            problem=problem,
            last_runs=[ScheduledRun(**run._asdict()) for run in runs],
        )


class ScheduleTimes(BaseModel):
    """When a schedule is due, and what it has run."""

    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        key="nightly-report",
        timezone="Europe/Berlin",
        times=["2026-03-15T02:00:00Z"],
        runs=[],
    )

    id: str
    key: str
    timezone: str
    times: list[datetime]
    runs: list[ScheduledRun] = Field(description="The most recent first.")

    @classmethod
    def of(cls, row: ScheduleRow, times: list[datetime], runs: Sequence[StartedRun]) -> Self:
        """Return the times of a schedule's row."""
        return cls(
            id=row.id,
            key=row.key,
            timezone=row.timezone,
            times=times,
            runs=[ScheduledRun(**run._asdict()) for run in runs],
        )


class TimetableTimes(BaseModel):
    """The next times of a timetable."""

    model_config = example(next=["2026-03-15T02:00:00Z", "2026-03-16T02:00:00Z"])

    next: list[datetime]


class TimetableCheck(BaseModel):
    """A timetable to preview."""

    model_config = example(cron="0 3 * * *", timezone="Europe/Berlin")

    cron: Cron = None
    interval_seconds: Interval = None
    rrule: Rule = None
    timezone: Line = Field(default="UTC", max_length=64)
