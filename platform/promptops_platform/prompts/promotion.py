"""Promotion: copies what one environment serves into another, in one transaction."""

from dataclasses import dataclass

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import DRAFT_ACTION
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.ids import new_id
from promptops_platform.prompts import repository
from promptops_platform.prompts.admission import PromptAdmission
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.recording import PromptRecorder, audit_fields
from promptops_platform.prompts.revisions import refuse_outdated
from promptops_platform.prompts.service import PromptService
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.workspaces.environments import EnvironmentService

# Copied to a new row only; an existing row keeps its own.
DESCRIPTION = ("name", "category", "tags")


@dataclass(frozen=True, slots=True)
class Order:
    """What to promote, and where."""

    env: str
    publish: bool
    version: str | None
    note: str
    # Accepted revisions of the prompt, as the caller has read it; None accepts any.
    seen: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class _Copy:
    """The state to copy."""

    source: PromptRow
    label: str
    body: Body
    origin: str


class Promotion:
    """Promotes the given version, the published one, or before the first publish the draft."""

    def __init__(
        self,
        *,
        prompts: PromptService,
        environments: EnvironmentService,
        admission: PromptAdmission,
        history: ServedHistory,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._prompts = prompts
        self._environments = environments
        self._admission = admission
        self._history = history
        self._recorder = PromptRecorder(audit, changes)
        self._clock = clock

    async def promote(
        self, transaction: Transaction, prompt_id: str, order: Order, *, actor: Actor
    ) -> PromptRow:
        """Copy the prompt to another environment, creating its row there if needed, publish it
        there if `order` asks for it, and return that row.

        Raises NotFound for an unknown prompt or version, BadRequest if the target is the prompt's
        own environment, Forbidden if the caller may not change the target, and EditedMeanwhile if
        the prompt was edited since the caller read it.
        """
        # Lock the workspace before any of its rows, in the order that deleting a workspace uses.
        # The source isn't locked: promotions in opposite directions would deadlock.
        await repository.lock_workspace_of(transaction.session, prompt_id)
        copy = await self._copy_from(transaction, prompt_id, order, actor)
        slot = (copy.source.workspace_id, order.env, copy.source.key)
        target = await repository.find_in_slot(transaction.session, slot)
        # Creates a missing environment before the row in it.
        await self._environments.enter(
            transaction, copy.source.workspace_id, order.env, actor=actor
        )
        added = target is None and await self._add(transaction, copy, order.env, actor)
        target = target or await repository.find_in_slot(transaction.session, slot)
        if target is None:
            raise Conflict(
                f"env: {copy.source.key!r} was just deleted from {order.env!r}; try again"
            )
        if target.id == prompt_id:
            raise Conflict(
                f"env: the prompt itself was just moved to {order.env!r}; publish it there, or "
                "name another environment"
            )
        await self._fill(transaction, target, copy, order, actor, added=added)
        return target

    async def _copy_from(
        self, transaction: Transaction, prompt_id: str, order: Order, actor: Actor
    ) -> _Copy:
        source = await self._prompts.get(
            transaction, prompt_id, actor=actor, permission=Permission.PROMPTS_WRITE
        )
        published = await self._prompts.published(transaction, source)
        refuse_outdated(source, published, order.seen)
        if source.env == order.env:
            raise BadRequest(
                f"env: the prompt is already in {order.env!r}; name another environment, or "
                "publish it there"
            )
        label = order.version or (published.label if published else None)
        if label is None:
            origin = f"the working copy of {source.env}"
            return _Copy(source, source.version, Body.of(source), origin)
        version = await self._prompts.version(transaction, source, label, actor=actor)
        return _Copy(source, label, Body.of(version), f"{label} of {source.env}")

    async def _add(self, transaction: Transaction, copy: _Copy, env: str, actor: Actor) -> bool:
        """Add the row; False if a concurrent promotion has added it already."""
        now = self._clock.now()
        row = PromptRow(
            id=new_id(),
            workspace_id=copy.source.workspace_id,
            key=copy.source.key,
            env=env,
            version=copy.label,
            revision=0,
            updated_by=actor.name,
            published_id=None,
            created_at=now,
            updated_at=now,
            **{name: getattr(copy.source, name) for name in DESCRIPTION},
            **copy.body.columns(),
        )
        return await repository.add_unless_taken(transaction.session, row)

    async def _fill(
        self,
        transaction: Transaction,
        target: PromptRow,
        copy: _Copy,
        order: Order,
        actor: Actor,
        *,
        added: bool,
    ) -> None:
        previous = await self._prompts.published_label(transaction, target)
        before = None if added else audit_fields(target, published_version=previous)
        label = await self._label(transaction, target, copy)
        repository.set_columns(target, copy.body.columns() | {"version": label})
        note = f"promoted from {copy.origin}"
        if added:
            self._history.begin(transaction, target, actor=actor, note=note)
        if order.publish:
            note = f"{note}: {order.note}" if order.note else note
            await self._prompts.serve(
                transaction, target, previous, actor=actor, action="promote", note=note
            )
        else:
            await self._draft(transaction, target, previous, actor)
        published = target.version if order.publish else previous
        self._recorder.audited(
            transaction,
            target,
            actor,
            "promote",
            f"promoted from {copy.origin} to {order.env}"
            + (f", published as {published}" if order.publish else ""),
            before=before,
            after=audit_fields(target, published_version=published),
        )

    async def _label(self, transaction: Transaction, target: PromptRow, copy: _Copy) -> str:
        """Return the label in the target: the copy's own, or if that is taken by other content, the
        label of an earlier promotion of this content, so that promoting twice makes one version."""
        content_hash = copy.body.content_hash()
        session = transaction.session
        taken = await repository.version(session, target.id, copy.label)
        if taken is None or taken.content_hash == content_hash:
            return copy.label
        return await repository.label_of_content(session, target.id, content_hash) or copy.label

    async def _draft(
        self, transaction: Transaction, target: PromptRow, published: str | None, actor: Actor
    ) -> None:
        action = "promote" if published is None else DRAFT_ACTION
        await self._admission.admit(transaction, target, action, published, published, actor=actor)
        self._prompts.touch(target, actor)
        kind = ChangeType.PROMPT_UPDATED if published is None else ChangeType.PROMPT_DRAFTED
        self._recorder.changed(transaction, target, kind)
