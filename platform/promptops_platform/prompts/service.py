"""Prompts: creating, editing, publishing and rolling back."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.content import exact
from promptops_platform.errors import Conflict
from promptops_platform.ids import new_id
from promptops_platform.prompts import repository
from promptops_platform.prompts.admission import PromptAdmission
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.labels import FIRST_LABEL, is_reserved, next_label, refuse_reserved
from promptops_platform.prompts.reading import PromptReader
from promptops_platform.prompts.recording import PromptRecorder, audit_fields
from promptops_platform.prompts.revisions import refuse_outdated
from promptops_platform.prompts.tables import PromptRow, PromptVersionRow

FIRST_ENVIRONMENT = "dev"


class RunningRollouts(Protocol):
    """What changes to prompts need of rollouts; implemented by a room above this one."""

    async def end(self, transaction: Transaction, prompt: PromptRow, *, actor: Actor) -> bool:
        """End the prompt's rollout; return whether one was running."""

    async def variants(
        self, transaction: Transaction, prompt: PromptRow
    ) -> list[dict[str, Any]] | None:
        """Return the variants of the prompt's rollout; None if none is running."""


class PromptService(PromptReader):
    """Changes prompts. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        admission: PromptAdmission,
        history: ServedHistory,
        rollouts: RunningRollouts,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        super().__init__(grants, history)
        self._admission = admission
        self._rollouts = rollouts
        self._recorder = PromptRecorder(audit, changes)
        self._clock = clock

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        fields: Mapping[str, Any],
    ) -> PromptRow:
        """Create a prompt; raises Conflict if its key is taken in that environment, and BadRequest
        if kind, messages and content contradict each other."""
        now = self._clock.now()
        self._grants.require(actor, Permission.PROMPTS_WRITE, workspace_id)
        refuse_reserved(fields.get("version", FIRST_LABEL))
        env = fields.get("env", FIRST_ENVIRONMENT)
        row = PromptRow(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            name=fields.get("name", ""),
            version=fields.get("version", FIRST_LABEL),
            env=env,
            category=fields.get("category", ""),
            tags=fields.get("tags", ""),
            revision=1,
            updated_by=actor.name,
            published_id=None,
            created_at=now,
            updated_at=now,
            **Body().edited(fields).columns(),
        )
        await self._admission.admit(transaction, row, "create", None, None, actor=actor)
        transaction.session.add(row)
        await self._flush(transaction, row.key, row.env)
        self._recorder.changed(transaction, row, ChangeType.PROMPT_UPDATED)
        self._history.begin(transaction, row, actor=actor)
        summary = f"created in {row.env}"
        self._recorder.audited(transaction, row, actor, "create", summary, after=audit_fields(row))
        return row

    async def update(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        fields: Mapping[str, Any],
        seen: frozenset[int] | None = None,
    ) -> PromptRow:
        """Edit the working copy; a new `env` moves it.

        Raises NotFound, Conflict if the key is taken in the new environment, BadRequest if kind,
        messages and content contradict each other, and EditedMeanwhile if the prompt is at none
        of the revisions `seen`.
        """
        row = await self._get_writable(transaction, prompt_id, actor, seen, mine=fields)
        published = await self.published_label(transaction, row)
        before = audit_fields(row)
        values = {**fields, **Body.of(row).edited(fields).columns()}
        changed = {
            name: value for name, value in values.items() if exact(before[name]) != exact(value)
        }
        refuse_reserved(changed.get("version", FIRST_LABEL))
        old_env = row.env
        if "env" in changed:
            move = "move", None, published
            await self._admission.admit(transaction, row, *move, env=fields["env"], actor=actor)
            await self._admission.admit(transaction, row, "move", published, None, actor=actor)
        elif published is None:
            await self._admission.admit(transaction, row, "update", None, None, actor=actor)
        else:
            # A draft: what is served doesn't change.
            await self._admission.enter(transaction, row, actor)
        repository.set_columns(row, changed)
        self.touch(row, actor)
        await self._flush(transaction, row.key, row.env)
        await self._record_edit(transaction, row, actor, old_env, published)
        summary = f"changed {', '.join(sorted(changed))}" if changed else "saved unchanged"
        self._recorder.audited(
            transaction, row, actor, "update", summary, before=before, after=audit_fields(row)
        )
        return row

    async def delete(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> None:
        """Delete a prompt with its versions and its history; raises NotFound, and EditedMeanwhile
        like `update`."""
        row = await self._get_writable(transaction, prompt_id, actor, seen)
        published = await self.published_label(transaction, row)
        await self._admission.admit(transaction, row, "delete", published, None, actor=actor)
        await repository.remove(transaction.session, row.id)
        self._recorder.changed(transaction, row, ChangeType.PROMPT_DELETED)
        before = audit_fields(row, published_version=published)
        summary = f"deleted from {row.env}"
        self._recorder.audited(transaction, row, actor, "delete", summary, before=before)

    async def make_version(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        note: str = "",
        seen: frozenset[int] | None = None,
    ) -> PromptVersionRow:
        """Create a version of the working copy without serving it: under its label, or under the
        next free `vN` if that label has other content. Raises NotFound, and EditedMeanwhile like
        `update`."""
        row = await self._get_writable(transaction, prompt_id, actor, seen)
        await self._admission.enter(transaction, row, actor)
        label, version = await self._version_of_draft(transaction, row)
        if version is not None:
            return version
        version = self._new_version(transaction, row, label, actor, note)
        if row.version != label:
            row.version = label
            self.touch(row, actor)
        self._recorder.changed(transaction, row, ChangeType.PROMPT_DRAFTED)
        summary = f"created version {label} in {row.env}"
        self._recorder.audited(
            transaction, row, actor, "version", summary, after={"version": label}
        )
        return version

    async def publish(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        label: str | None = None,
        note: str = "",
        seen: frozenset[int] | None = None,
    ) -> PromptVersionRow:
        """Publish the working copy, or the version `label`, and serve it from now on. Raises
        NotFound, and EditedMeanwhile like `update`, so that only reviewed content is published.

        If the label exists with the same content, that version is served again; if its content
        differs, the next free `vN` is used, because versions are immutable.
        """
        row = await self._get_writable(transaction, prompt_id, actor, seen)
        previous = await self.published_label(transaction, row)
        before = {"version": row.version, "published_version": previous}
        published = await self.serve(
            transaction, row, previous, actor=actor, label=label, note=note
        )
        after = {"version": row.version, "published_version": published.version}
        summary = f"published {published.version} to {row.env}"
        self._recorder.audited(
            transaction, row, actor, "publish", summary, before=before, after=after
        )
        return published

    async def serve(
        self,
        transaction: Transaction,
        row: PromptRow,
        previous: str | None,
        *,
        actor: Actor,
        label: str | None = None,
        action: str = "publish",
        note: str = "",
    ) -> PromptVersionRow:
        """Publish the working copy of a locked row, or its version `label`, instead of the label
        `previous`. The caller checks the permission and writes the audit entry."""
        draft_label = row.version
        if label is None:
            target, version = await self._version_of_draft(transaction, row)
        else:
            version = await self.version(transaction, row, label, actor=actor)
            target = version.version
        await self._admission.admit(transaction, row, action, previous, target, actor=actor)
        if version is None:
            version = self._new_version(transaction, row, target, actor, note)
            row.version = target
        moves, row.published_id = row.published_id != version.id, version.id
        # A publish alone isn't an edit: the working copy that editors have read is still current.
        self.touch(row, actor, edited=action != "publish" or row.version != draft_label)
        if moves:
            await self._moved(transaction, row, actor, action, target, previous, note)
        self._recorder.changed(transaction, row, ChangeType.PROMPT_PUBLISHED, version=target)
        return version

    async def rollback(
        self,
        transaction: Transaction,
        prompt_id: str,
        label: str,
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> tuple[PromptRow, bool]:
        """Serve an earlier version again and make it the working copy; also return whether that
        ended a running rollout. Raises NotFound, and EditedMeanwhile like `update`."""
        row = await self._get_writable(transaction, prompt_id, actor, seen)
        target = await self.version(transaction, row, label, actor=actor)
        previous = await self.published_label(transaction, row)
        await self._admission.admit(transaction, row, "rollback", previous, label, actor=actor)
        before = audit_fields(row, published_version=previous)
        ended = await self._rollouts.end(transaction, row, actor=actor)
        repository.set_columns(row, Body.of(target).columns() | {"version": target.version})
        moves, row.published_id = row.published_id != target.id, target.id
        self.touch(row, actor)
        if moves or ended:
            await self._moved(transaction, row, actor, "rollback", label, previous)
        self._recorder.changed(transaction, row, ChangeType.PROMPT_UPDATED, reason="rollback")
        after = audit_fields(row, published_version=label)
        summary = f"rolled back to {label} in {row.env}"
        self._recorder.audited(
            transaction, row, actor, "rollback", summary, before=before, after=after
        )
        return row, ended

    async def _version_of_draft(
        self, transaction: Transaction, row: PromptRow
    ) -> tuple[str, PromptVersionRow | None]:
        """Return the label for a version with the content of the working copy, and that version if
        it exists."""
        label, content_hash = row.version, Body.of(row).content_hash()
        version = await repository.version(transaction.session, row.id, label)
        if version is not None and version.content_hash == content_hash:
            return label, version
        # Older releases accepted any label for a working copy.
        if version is not None or is_reserved(label):
            label = next_label(await repository.labels(transaction.session, row.id))
        return label, None

    def _new_version(
        self, transaction: Transaction, row: PromptRow, label: str, actor: Actor, note: str
    ) -> PromptVersionRow:
        body = Body.of(row)
        version = PromptVersionRow(
            id=new_id(),
            prompt_id=row.id,
            key=row.key,
            version=label,
            env=row.env,
            note=note,
            content_hash=body.content_hash(),
            author=actor.name,
            created_at=self._clock.now(),
            **body.columns(),
        )
        transaction.session.add(version)
        return version

    async def _get_writable(
        self,
        transaction: Transaction,
        prompt_id: str,
        actor: Actor,
        seen: frozenset[int] | None = None,
        mine: Mapping[str, Any] | None = None,
    ) -> PromptRow:
        """Return a prompt that the caller may change, locked until the commit, at one of the
        revisions `seen`."""
        row = await self.get(
            transaction, prompt_id, actor=actor, permission=Permission.PROMPTS_WRITE, lock=True
        )
        refuse_outdated(row, await self.published(transaction, row), seen, mine=mine)
        return row

    def touch(self, row: PromptRow, actor: Actor, *, edited: bool = True) -> None:
        """Set when and by whom a row was changed, and count the edit of its working copy."""
        row.updated_at = self._clock.now()
        row.updated_by = actor.name
        row.revision += edited

    async def _flush(self, transaction: Transaction, key: str, env: str) -> None:
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(
                f"key: {key!r} is taken in environment {env!r}; choose another key or "
                "environment, or edit that prompt"
            ) from error

    async def _record_edit(
        self,
        transaction: Transaction,
        row: PromptRow,
        actor: Actor,
        old_env: str,
        published: str | None,
    ) -> None:
        """Record an edit in the feed; editing a published prompt is a draft, which only editors
        see."""
        if row.env == old_env and published is not None:
            self._recorder.changed(transaction, row, ChangeType.PROMPT_DRAFTED)
            return
        if row.env != old_env:
            self._recorder.changed(transaction, row, ChangeType.PROMPT_DELETED, env=old_env)
            await self._moved(
                transaction, row, actor, "move", published, published, f"moved from {old_env}"
            )
        self._recorder.changed(transaction, row, ChangeType.PROMPT_UPDATED, version=published)

    async def _moved(
        self,
        transaction: Transaction,
        row: PromptRow,
        actor: Actor,
        action: str,
        version: str | None,
        previous: str | None,
        note: str = "",
    ) -> None:
        self._history.record(
            transaction,
            row,
            actor=actor,
            action=action,
            version=version,
            previous_version=previous,
            variants=await self._rollouts.variants(transaction, row),
            note=note,
        )
