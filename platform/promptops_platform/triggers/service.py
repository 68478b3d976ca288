"""The service of triggers: create, edit, stop and list."""

import secrets as random_secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.preconditions import require_newest
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.triggers import repository
from promptops_platform.triggers.secrets import TriggerSecrets
from promptops_platform.triggers.states import FiringState
from promptops_platform.triggers.tables import FiringRow, TriggerRow
from promptops_platform.triggers.targets import TriggerTargets

# 256 bits can't be guessed.
HOOK_BYTES = 32
# The kind of its deployments in Prefect.
KIND = "trigger"
DISABLED = "the trigger was disabled before its run started"


class ShownTrigger(NamedTuple):
    """A trigger, and its secret if it was just created."""

    row: TriggerRow
    secret: str | None = None


class TriggerService:
    """Manages triggers. Each change is audited, without secrets, and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        targets: TriggerTargets,
        secrets: TriggerSecrets,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
        deployments: Deployments,
    ) -> None:
        self._grants = grants
        self._targets = targets
        self._secrets = secrets
        self._audit = audit
        self._changes = changes
        self._clock = clock
        self._deployments = deployments

    async def search(
        self,
        transaction: Transaction,
        workspace_id: str | None,
        text: str | None,
        part: Part,
        *,
        actor: Actor,
    ) -> tuple[list[TriggerRow], int]:
        """Return triggers of the workspaces that the caller can see, sorted by key by default, and
        the total."""
        readable = self._grants.readable(actor)
        return await repository.search(transaction.session, readable, workspace_id, text, part)

    async def get(
        self,
        transaction: Transaction,
        trigger_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.TRIGGERS_READ,
        lock: bool = False,
    ) -> TriggerRow:
        """Return a trigger; raises Forbidden, and NotFound also if the caller can't see it."""
        row = await repository.get(transaction.session, trigger_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"trigger {trigger_id!r} not found; GET /api/triggers lists them")
        self._grants.require(actor, permission, row.workspace_id)
        return row

    def may_write(self, row: TriggerRow, *, actor: Actor) -> bool:
        """Whether the caller may change the trigger and see its addresses."""
        return self._grants.has(actor, Permission.TRIGGERS_WRITE, row.workspace_id)

    async def last_fired(
        self, transaction: Transaction, rows: list[TriggerRow]
    ) -> Mapping[str, Any]:
        """Return when each of these was last fired, by id."""
        return await repository.last_fired(transaction.session, [row.id for row in rows])

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        enabled: bool,
        condition: dict[str, Any],
        action: dict[str, Any],
    ) -> ShownTrigger:
        """Store a trigger; raises BadRequest for an unknown definition, an invalid template or a
        forbidden address, Conflict for a taken key."""
        self._grants.require(actor, Permission.TRIGGERS_WRITE, workspace_id)
        await self._targets.check(transaction, workspace_id, action, actor=actor)
        now = self._clock.now()
        row = TriggerRow(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            enabled=enabled,
            condition=condition,
            action=action,
            stopped_because=None,
            hook=None,
            sealed_secret=None,
            sealed_previous=None,
            previous_until=None,
            revision=1,
            created_by=actor.name,
            updated_by=actor.name,
            created_at=now,
            updated_at=now,
        )
        secret = self._add_credentials(row)
        transaction.session.add(row)
        await _flush(transaction, row)
        self._recorded(
            transaction, row, actor, "create", f"created trigger {key}", after=shown(row)
        )
        return ShownTrigger(row, secret)

    async def update(
        self,
        transaction: Transaction,
        trigger_id: str,
        fields: Mapping[str, Any],
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> ShownTrigger:
        """Edit a trigger: `fields` are the columns to change. Enabling a stopped trigger restarts
        it. Raises what `create` raises, NotFound, and EditedMeanwhile if its revision is not one of
        `seen`."""
        row = await self._writable(transaction, trigger_id, actor)
        require_newest(row, seen, current(row), mine=_sent(fields))
        before = shown(row)
        if "action" in fields:
            await self._targets.check(transaction, row.workspace_id, fields["action"], actor=actor)
        for name, value in fields.items():
            setattr(row, name, value)
        if fields.get("enabled"):
            row.stopped_because = None
        elif fields.get("enabled") is False:
            await self._give_up_waiting(transaction, row)
        self._revised(row, actor)
        secret = self._add_credentials(row)
        await _flush(transaction, row)
        summary = f"changed trigger {row.key}"
        self._recorded(transaction, row, actor, "update", summary, before, shown(row))
        return ShownTrigger(row, secret)

    async def rotate_secret(
        self, transaction: Transaction, trigger_id: str, overlap: timedelta, *, actor: Actor
    ) -> ShownTrigger:
        """Create another secret; the old one stays valid for `overlap`. Raises BadRequest for a
        trigger without webhooks."""
        row = await self._writable(transaction, trigger_id, actor)
        if row.sealed_secret is None:
            raise BadRequest(
                f"trigger {row.key!r} has no secret: it neither receives nor delivers webhooks"
            )
        secret = self._secrets.rotate(row, overlap)
        self._revised(row, actor)
        summary = f"rotated the secret of trigger {row.key}"
        self._recorded(transaction, row, actor, "rotate", summary)
        return ShownTrigger(row, secret)

    async def delete(
        self,
        transaction: Transaction,
        trigger_id: str,
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> None:
        """Delete a trigger with its firings; raises what `update` raises."""
        row = await self._writable(transaction, trigger_id, actor)
        require_newest(row, seen, current(row))
        await repository.remove(transaction.session, row.id)
        summary = f"deleted trigger {row.key}"
        self._recorded(transaction, row, actor, "delete", summary, before=shown(row))

    async def stop(self, transaction: Transaction, trigger_id: str, reason: str) -> None:
        """Stop a trigger automatically, with a reason; a stopped or deleted trigger stays
        unchanged."""
        row = await repository.get(transaction.session, trigger_id, lock=True)
        if row is None or row.stopped_because is not None:
            return
        before = shown(row)
        row.stopped_because = reason
        self._revised(row, SYSTEM)
        summary = f"stopped trigger {row.key}: {reason}"
        self._recorded(transaction, row, SYSTEM, "stop", summary, before, shown(row))

    async def enable(self, transaction: Transaction, trigger_id: str, enabled: bool) -> None:
        """Enable or disable a trigger because somebody did so in Prefect; does nothing if the
        trigger is deleted or already in that state."""
        row = await repository.get(transaction.session, trigger_id, lock=True)
        if row is None or row.enabled == enabled:
            return
        before = shown(row)
        row.enabled = enabled
        self._revised(row, SYSTEM)
        if not enabled:
            await self._give_up_waiting(transaction, row)
        summary = f"{'enabled' if enabled else 'disabled'} trigger {row.key} in Prefect"
        self._recorded(transaction, row, SYSTEM, "update", summary, before, shown(row))

    async def give_up(
        self, transaction: Transaction, firing: FiringRow, state: FiringState, reason: str
    ) -> None:
        """End a waiting firing without a run."""
        at = self._clock.now()
        await repository.claim(
            transaction.session, firing.id, state=state, error=reason, ended_at=at
        )

    async def _give_up_waiting(self, transaction: Transaction, row: TriggerRow) -> None:
        await repository.end_waiting(
            transaction.session, row.id, state="stopped", error=DISABLED, ended_at=self._clock.now()
        )

    async def firings(
        self,
        transaction: Transaction,
        trigger_id: str,
        state: str | None,
        part: Part,
        *,
        actor: Actor,
    ) -> tuple[list[FiringRow], int]:
        """Return the firings of a trigger, newest first by default, and the total."""
        row = await self.get(transaction, trigger_id, actor=actor)
        return await repository.firings(transaction.session, row.id, state, part)

    def record_resend(
        self, transaction: Transaction, row: TriggerRow, firing: FiringRow, *, actor: Actor
    ) -> None:
        """Record in the audit trail that somebody fires a trigger again."""
        summary = f"fired trigger {row.key} again with {firing.event_type} {firing.event_id}"
        self._audited(transaction, row, actor, "resend", summary)

    async def reseal(
        self, transaction: Transaction, *, forget: bool
    ) -> tuple[int, tuple[str, ...]]:
        """Encrypt all secrets again; see `TriggerSecrets.reseal`."""
        resealed = await self._secrets.reseal(transaction, forget=forget)
        if resealed.renewed or resealed.unreadable:
            self._changes.record(transaction, Change(ChangeType.TRIGGER_CHANGED, "*"))
        return resealed.renewed, resealed.unreadable

    def _add_credentials(self, row: TriggerRow) -> str | None:
        """Create the address and the secret that the trigger needs; returns a new secret."""
        receives, delivers = bool(row.condition.get("webhook")), "url" in row.action
        if not receives:
            row.hook = None
        elif row.hook is None:
            row.hook = random_secrets.token_urlsafe(HOOK_BYTES)
        if not receives and not delivers:
            row.sealed_secret = row.sealed_previous = row.previous_until = None
            return None
        return self._secrets.make(row) if row.sealed_secret is None else None

    async def _writable(
        self, transaction: Transaction, trigger_id: str, actor: Actor
    ) -> TriggerRow:
        return await self.get(
            transaction, trigger_id, actor=actor, permission=Permission.TRIGGERS_WRITE, lock=True
        )

    def _revised(self, row: TriggerRow, actor: Actor) -> None:
        row.updated_at, row.updated_by = self._clock.now(), actor.name
        row.revision += 1

    def _recorded(
        self,
        transaction: Transaction,
        row: TriggerRow,
        actor: Actor,
        action: str,
        summary: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        change = Change(ChangeType.TRIGGER_CHANGED, row.id, row.workspace_id, row.key)
        self._changes.record(transaction, change)
        self._deployments.changed(transaction, KIND, row.id)
        self._audited(transaction, row, actor, action, summary, before, after)

    def _audited(
        self,
        transaction: Transaction,
        row: TriggerRow,
        actor: Actor,
        action: str,
        summary: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="trigger",
            resource_id=row.id,
            key=row.key,
            summary=summary,
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def shown(row: TriggerRow) -> dict[str, Any]:
    """Return the fields for the audit trail, without secrets and without the paths of addresses."""
    return {
        "key": row.key,
        "enabled": row.enabled,
        "on": row.condition,
        **action_fields(row, whole_url=False),
        "stopped_because": row.stopped_because,
    }


def current(row: TriggerRow) -> dict[str, Any]:
    """Return the current state for an editor who has seen an older one."""
    return {
        "id": row.id,
        **shown(row),
        **action_fields(row, whole_url=True),
        "revision": row.revision,
        "updated_by": row.updated_by,
        "updated_at": row.updated_at.isoformat(),
    }


def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns to change by their names in the API."""
    names = {"condition": "on"}
    if "action" in fields:
        names["action"] = "deliver" if "url" in fields["action"] else "run"
    return {names.get(name, name): value for name, value in fields.items()}


def action_fields(row: TriggerRow, *, whole_url: bool) -> dict[str, Any]:
    """Return `run` and `deliver`, one of which is null."""
    if "url" not in row.action:
        return {"run": row.action, "deliver": None}
    url = row.action["url"]
    return {"run": None, "deliver": {"url": url if whole_url else bare_address(url)}}


def bare_address(url: str) -> str:
    """Return an address without its path, which may contain a secret."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/…"


async def _flush(transaction: Transaction, row: TriggerRow) -> None:
    key = row.key
    try:
        await transaction.session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"key: {key!r} is taken by another trigger of this workspace; choose another key, or "
            "edit that one"
        ) from error
