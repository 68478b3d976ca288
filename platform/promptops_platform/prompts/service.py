"""Prompts: the working copy, what is published of it, and the way back."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import PromptRow, PromptVersionRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.prompts import repository, search
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.schemas import PromptFilter, ServedPrompt, Slot
from promptops_platform.workspaces.environments import EnvironmentService

FIRST_ENVIRONMENT = "dev"
FIRST_VERSION = "v1"
NUMBERED_LABEL = re.compile(r"v([0-9]{1,18})")


class RunningRollouts(Protocol):
    """What a rollback has to do with rollouts, which stand above."""

    async def end(self, transaction: Transaction, prompt: PromptRow, *, actor: Actor) -> bool:
        """End the prompt's rollout; whether one was on."""


class PromptService:
    """What can be done to prompts. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        environments: EnvironmentService,
        history: ServedHistory,
        rollouts: RunningRollouts,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._environments = environments
        self._history = history
        self._rollouts = rollouts
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        wanted: PromptFilter,
        *,
        actor: Actor,
        limit: int | None,
        offset: int,
    ) -> search.Found:
        """A part of the prompts that are wanted, or all of them, newest change first; of those
        workspaces and environments that exist for the caller."""
        seen = replace(
            wanted,
            readable=self._grants.readable(actor),
            environments=actor.environments or None,
        )
        if limit is None:
            rows = await search.every(transaction.session, seen)
            return search.Found(rows[offset:], len(rows), total_is_at_least=False)
        return await search.page(transaction.session, seen, limit=limit, offset=offset)

    async def get(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.PROMPTS_READ,
        lock: bool = False,
    ) -> PromptRow:
        """A prompt; raises NotFound, also where it doesn't exist for the caller, and Forbidden."""
        row = await repository.get(transaction.session, prompt_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"prompt {prompt_id!r} not found; GET /api/prompts lists them")
        require_environment(actor, row.env)
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def published_label(self, transaction: Transaction, row: PromptRow) -> str | None:
        """The label that is published, None before the first publish."""
        return await repository.published_label(transaction.session, row)

    async def versions(
        self, transaction: Transaction, prompt_id: str, *, actor: Actor
    ) -> list[PromptVersionRow]:
        """Published versions, newest first; raises NotFound for an unknown prompt."""
        await self.get(transaction, prompt_id, actor=actor)
        return await repository.versions(transaction.session, prompt_id)

    async def served(self, transaction: Transaction, slots: Sequence[Slot]) -> list[ServedPrompt]:
        """What these slots serve; a slot without a prompt is left out."""
        return await repository.served(transaction.session, slots)

    def all_served(self, transaction: Transaction) -> AsyncIterator[ServedPrompt]:
        """What every slot serves."""
        return repository.all_served(transaction.session)

    async def served_versions(
        self, transaction: Transaction, wanted: Sequence[tuple[str, str]]
    ) -> list[ServedPrompt]:
        """What these versions serve, each named by prompt and label; unknown ones are left out."""
        return await repository.served_versions(transaction.session, wanted)

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        fields: Mapping[str, str],
    ) -> PromptRow:
        """Make a prompt; raises Conflict when its key is taken in that environment."""
        now = self._clock.now()
        self._grants.require(actor, Permission.PROMPTS_WRITE, workspace_id)
        env = fields.get("env", FIRST_ENVIRONMENT)
        await self._enter(transaction, workspace_id, env, actor, serving=True)
        row = PromptRow(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            name=fields.get("name", ""),
            content=fields.get("content", ""),
            version=fields.get("version", FIRST_VERSION),
            env=env,
            category=fields.get("category", ""),
            tags=fields.get("tags", ""),
            model=fields.get("model", ""),
            kind="text",
            messages=[],
            config={},
            revision=1,
            updated_by=actor.name,
            published_id=None,
            created_at=now,
            updated_at=now,
        )
        transaction.session.add(row)
        await self._flush(transaction, row.key, row.env)
        self._record(transaction, row, ChangeType.PROMPT_UPDATED)
        self._audited(transaction, row, actor, "create", f"created in {row.env}")
        return row

    async def update(
        self, transaction: Transaction, prompt_id: str, *, actor: Actor, fields: Mapping[str, str]
    ) -> PromptRow:
        """Edit the working copy; a new `env` moves it. Raises NotFound, or Conflict where the key
        is taken in the new environment."""
        row = await self._writable(transaction, prompt_id, actor)
        changed = sorted(name for name, value in fields.items() if getattr(row, name) != value)
        old_env, serving = row.env, row.published_id is None or "env" in changed
        await self._enter(transaction, row.workspace_id, old_env, actor, serving=serving)
        if "env" in changed:
            await self._enter(transaction, row.workspace_id, fields["env"], actor, serving=True)
        for name in changed:
            setattr(row, name, fields[name])
        self._touch(row, actor)
        await self._flush(transaction, row.key, row.env)
        await self._record_edit(transaction, row, old_env)
        summary = f"changed {', '.join(changed)}" if changed else "saved unchanged"
        self._audited(transaction, row, actor, "update", summary)
        return row

    async def delete(self, transaction: Transaction, prompt_id: str, *, actor: Actor) -> None:
        """Delete a prompt with its versions; raises NotFound."""
        row = await self._writable(transaction, prompt_id, actor)
        await self._enter(transaction, row.workspace_id, row.env, actor, serving=True)
        await repository.remove(transaction.session, row.id)
        self._record(transaction, row, ChangeType.PROMPT_DELETED)
        self._audited(transaction, row, actor, "delete", f"deleted from {row.env}")

    async def publish(
        self, transaction: Transaction, prompt_id: str, *, actor: Actor
    ) -> PromptVersionRow:
        """Publish the working copy and serve it from now on; raises NotFound.

        Under a label that is published with the same content that version is served again; with
        other content the next free `vN` is taken, because a published version never changes.
        """
        row = await self._writable(transaction, prompt_id, actor)
        await self._enter(transaction, row.workspace_id, row.env, actor, serving=True)
        hashed = content_hash(row.content, row.model)
        published = await repository.version(transaction.session, row.id, row.version)
        if published is None or published.content_hash != hashed:
            if published is not None:
                taken = await repository.labels(transaction.session, row.id)
                row.version = next_label(taken)
            published = self._new_version(transaction, row, hashed, actor)
        row.published_id = published.id
        self._touch(row, actor)
        self._record(transaction, row, ChangeType.PROMPT_PUBLISHED)
        self._audited(transaction, row, actor, "publish", f"published {row.version} to {row.env}")
        return published

    async def rollback(
        self, transaction: Transaction, prompt_id: str, label: str, *, actor: Actor
    ) -> tuple[PromptRow, bool]:
        """Serve an earlier version again and make it the working copy; also answers whether that
        ended a running rollout. Raises NotFound."""
        row = await self._writable(transaction, prompt_id, actor)
        await self._enter(transaction, row.workspace_id, row.env, actor, serving=True)
        target = await repository.version(transaction.session, row.id, label)
        if target is None:
            raise NotFound(
                f"version {label!r} of prompt {row.key!r} not found; "
                f"GET /api/prompts/{row.id}/versions lists them"
            )
        row.content, row.model, row.version = target.content, target.model, target.version
        row.published_id = target.id
        ended = await self._rollouts.end(transaction, row, actor=actor)
        self._touch(row, actor)
        self._record(transaction, row, ChangeType.PROMPT_UPDATED)
        self._audited(transaction, row, actor, "rollback", f"rolled back to {label} in {row.env}")
        return row, ended

    def _new_version(
        self, transaction: Transaction, row: PromptRow, hashed: str, actor: Actor
    ) -> PromptVersionRow:
        version = PromptVersionRow(
            id=new_id(),
            prompt_id=row.id,
            key=row.key,
            version=row.version,
            env=row.env,
            content=row.content,
            model=row.model,
            kind=row.kind,
            messages=row.messages,
            config=row.config,
            note="",
            content_hash=hashed,
            author=actor.name,
            created_at=self._clock.now(),
        )
        transaction.session.add(version)
        return version

    async def _writable(self, transaction: Transaction, prompt_id: str, actor: Actor) -> PromptRow:
        """A prompt that the caller may change, locked until the commit."""
        return await self.get(
            transaction, prompt_id, actor=actor, permission=Permission.PROMPTS_WRITE, lock=True
        )

    async def _enter(
        self,
        transaction: Transaction,
        workspace_id: str,
        env: str,
        actor: Actor,
        *,
        serving: bool,
    ) -> None:
        await self._environments.enter(transaction, workspace_id, env, actor=actor, serving=serving)

    def _touch(self, row: PromptRow, actor: Actor) -> None:
        row.updated_at = self._clock.now()
        row.updated_by = actor.name
        row.revision += 1

    async def _flush(self, transaction: Transaction, key: str, env: str) -> None:
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(
                f"key: {key!r} is taken in environment {env!r}; choose another key or "
                "environment, or edit that prompt"
            ) from error

    async def _record_edit(self, transaction: Transaction, row: PromptRow, old_env: str) -> None:
        if row.env != old_env:
            self._record(transaction, row, ChangeType.PROMPT_DELETED, env=old_env)
        elif row.published_id is not None:
            self._record(transaction, row, ChangeType.PROMPT_DRAFTED)
            return
        served = await repository.published_label(transaction.session, row) or row.version
        self._record(transaction, row, ChangeType.PROMPT_UPDATED, version=served)

    def _record(
        self,
        transaction: Transaction,
        row: PromptRow,
        kind: ChangeType,
        *,
        env: str | None = None,
        version: str | None = None,
    ) -> None:
        change = Change(
            type=kind,
            resource_id=row.id,
            workspace_id=row.workspace_id,
            key=row.key,
            env=env or row.env,
            version=version or row.version,
        )
        self._changes.record(transaction, change)

    def _audited(
        self, transaction: Transaction, row: PromptRow, actor: Actor, action: str, summary: str
    ) -> None:
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="prompt",
            resource_id=row.id,
            key=row.key,
            summary=summary,
            workspace_id=row.workspace_id,
        )


def content_hash(content: str, model: str) -> str:
    """SHA-256, in hex, of what a version serves."""
    served = json.dumps({"content": content, "model": model}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(served.encode()).hexdigest()


def next_label(taken: Sequence[str]) -> str:
    """The `vN` after the highest one that is taken."""
    numbers = [int(found[1]) for label in taken if (found := NUMBERED_LABEL.fullmatch(label))]
    number = max(numbers, default=0) + 1
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"
