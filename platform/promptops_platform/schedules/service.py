"""The service of schedules. Each change is audited, recorded in the feed, and sent to Prefect."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.preconditions import require_newest
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import Conflict, Forbidden, NotFound
from promptops_platform.past_tense import past_tense
from promptops_platform.schedules import repository
from promptops_platform.schedules.repository import ScheduleSearch
from promptops_platform.schedules.schemas import Schedule
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.targets.run_targets import RunTarget

SHOWN = (
    *("target_kind", "target_key", "version", "env", "cron", "interval_seconds", "rrule"),
    *("timezone", "variables", "paused", "catch_up", "overlap"),
)


class ScheduleService:
    """Works in the caller's transaction. An API key that is limited to environments sees the
    schedules that run what these serve."""

    def __init__(
        self,
        *,
        grants: Grants,
        deployments: Deployments,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._deployments = deployments
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        part: Part,
        *,
        workspace_id: str | None,
        target: tuple[str, str] | None,
        text: str | None,
        actor: Actor,
        paused: bool | None = None,
    ) -> tuple[list[ScheduleRow], int]:
        """Return schedules of the workspaces that the caller can see, and the total."""
        asked = ScheduleSearch(
            self._grants.readable(actor), workspace_id, target, text, actor.environments, paused
        )
        return await repository.search(transaction.session, asked, part)

    async def get(
        self,
        transaction: Transaction,
        schedule_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.SCHEDULES_READ,
        lock: bool = False,
    ) -> ScheduleRow:
        """Return a schedule; raises Forbidden, and NotFound also if the caller can't see it."""
        row = await repository.find(transaction.session, schedule_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"schedule {schedule_id!r} not found; GET /api/schedules lists them")
        self._require_visible(row.env, actor)
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def add(self, transaction: Transaction, row: ScheduleRow, *, actor: Actor) -> None:
        """Store a new schedule; raises Conflict for a taken key, Forbidden."""
        self._require_visible(row.env, actor)
        if not await repository.add_unless_taken(transaction.session, row):
            raise Conflict(
                f"key: {row.key!r} is taken by another schedule of this workspace; choose another "
                "key, or edit that one"
            )
        self._changed(transaction, row, actor, "create", after=shown(row))

    async def edit(
        self, transaction: Transaction, row: ScheduleRow, values: Mapping[str, Any], *, actor: Actor
    ) -> None:
        """Change columns of a schedule; its new timetable does not apply to times that have
        passed."""
        before = shown(row)
        for name, value in values.items():
            setattr(row, name, value)
        self._require_visible(row.env, actor)
        if shown(row) == before:
            return
        self.renewed(row, actor.name)
        self._changed(transaction, row, actor, "update", before=before, after=shown(row))

    async def set_paused(
        self, transaction: Transaction, schedule_id: str, *, paused: bool, actor: Actor
    ) -> ScheduleRow:
        """Pause or resume; has no effect if it already is. Raises NotFound and Forbidden."""
        row = await self.get(
            transaction,
            schedule_id,
            actor=actor,
            permission=Permission.SCHEDULES_WRITE,
            lock=True,
        )
        if row.paused != paused:
            before = shown(row)
            row.paused = paused
            self.renewed(row, actor.name)
            action = "pause" if paused else "resume"
            self._changed(transaction, row, actor, action, before=before, after=shown(row))
        return row

    async def delete(
        self,
        transaction: Transaction,
        schedule_id: str,
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> None:
        """Delete a schedule; its runs stay in the log. Raises NotFound, Forbidden, and
        EditedMeanwhile if its revision is not one of `seen`."""
        row = await self.get(
            transaction,
            schedule_id,
            actor=actor,
            permission=Permission.SCHEDULES_WRITE,
            lock=True,
        )
        require_newest(row, seen, current(row))
        await transaction.session.delete(row)
        self._changed(transaction, row, actor, "delete", before=shown(row))

    def renewed(self, row: ScheduleRow, by: str) -> None:
        """Give the row a new revision, from now on."""
        row.updated_at = row.settled_at = self._clock.now()
        row.updated_by, row.problem = by, ""
        row.revision += 1

    def now(self) -> datetime:
        """Return the time of the platform's clock."""
        return self._clock.now()

    def announce(self, transaction: Transaction, row: ScheduleRow) -> None:
        """Notify consoles that the schedule has a new run or a new problem."""
        change = Change(ChangeType.SCHEDULE_CHANGED, row.id, row.workspace_id, row.key)
        self._changes.record(transaction, change)

    def audited(
        self,
        transaction: Transaction,
        row: ScheduleRow,
        actor: Actor,
        action: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry to the audit trail."""
        target = f"{row.target_kind} {row.target_key}"
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource=KIND,
            resource_id=row.id,
            key=row.key,
            summary=f"{past_tense(action)} schedule {row.key} of {target}",
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )

    def _changed(
        self,
        transaction: Transaction,
        row: ScheduleRow,
        actor: Actor,
        action: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        self.audited(transaction, row, actor, action, before, after)
        self.announce(transaction, row)
        self._deployments.changed(transaction, KIND, row.id)

    def _require_visible(self, env: str | None, actor: Actor) -> None:
        if not actor.environments:
            return
        if env is None:
            raise Forbidden(
                "the schedule runs a fixed version, which is in no environment of this API key; "
                "use a key without environments"
            )
        require_environment(actor, env)


def target_of(row: ScheduleRow) -> RunTarget:
    """Return what a schedule runs."""
    return RunTarget(
        kind="agent" if row.target_kind == "agent" else "workflow",
        key=row.target_key,
        version=row.version,
        env=row.env,
        variables=row.variables,
    )


def current(row: ScheduleRow) -> dict[str, Any]:
    """Return the current state for an editor who has seen an older one, without Prefect's part."""
    schedule = Schedule.shown(
        row, next_times=[], deployment_url=None, problem=row.problem or None, runs=[]
    )
    return schedule.model_dump(mode="json", exclude={"next", "deployment_url", "last_runs"})


def shown(row: ScheduleRow) -> dict[str, Any]:
    """Return the fields for the audit trail."""
    return {name: getattr(row, name) for name in SHOWN}
