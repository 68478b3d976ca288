"""Rollouts: how the fetches of a prompt are distributed over its versions."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest
from promptops_platform.ids import new_id
from promptops_platform.prompts.admission import PromptAdmission
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.service import PromptService
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts import repository
from promptops_platform.rollouts.ab_form import EMPTY, variants_after
from promptops_platform.rollouts.audit import RolloutAudit, Shown, shown
from promptops_platform.rollouts.revisions import SeenRollout, refuse_outdated_rollout
from promptops_platform.rollouts.schemas import RolloutUpdate, RunningRollout, RunningVariant
from promptops_platform.rollouts.tables import RolloutRow


class RolloutService:
    """Sets, ends and reads rollouts. Each change is audited; changes to what is served are also
    recorded in the feed and in the prompt's history."""

    def __init__(
        self,
        *,
        prompts: PromptService,
        admission: PromptAdmission,
        history: ServedHistory,
        audit: RolloutAudit,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._prompts = prompts
        self._admission = admission
        self._history = history
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def get(
        self, transaction: Transaction, prompt_id: str, *, actor: Actor
    ) -> tuple[PromptRow, RolloutRow | None]:
        """Return a prompt and its rollout, None without one; raises NotFound and Forbidden."""
        prompt = await self._prompts.get(
            transaction, prompt_id, actor=actor, permission=Permission.ROLLOUTS_READ
        )
        return prompt, await repository.of_prompt(transaction.session, prompt.id)

    async def save(
        self,
        transaction: Transaction,
        prompt_id: str,
        update: RolloutUpdate,
        *,
        actor: Actor,
        seen: SeenRollout | None = None,
    ) -> tuple[PromptRow, RolloutRow]:
        """Create or change a prompt's rollout; raises NotFound, Forbidden, BadRequest if an enabled
        rollout has a variant whose version doesn't exist, and EditedMeanwhile if it has changed
        since it was read."""
        prompt, row = await self._writable(transaction, prompt_id, actor, seen)
        before, now = shown(row), self._clock.now()
        old = row or _new(prompt, now)
        variants = variants_after(update, old.variants)
        enabled = old.enabled if update.enabled is None else update.enabled
        proposed = {"enabled": enabled, "variants": variants}
        await self._admit(transaction, prompt, before, proposed, actor)
        if row is None:
            repository.add(transaction.session, old)
        row = old
        row.variants, row.enabled = variants, enabled
        row.salt = update.salt or row.salt
        row.updated_at = now
        if row.enabled:
            await self._check_versions(transaction, prompt, row.variants, actor)
        await self._recorded(transaction, prompt, row.id, actor, before, shown(row))
        return prompt, row

    async def remove(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        seen: SeenRollout | None = None,
    ) -> None:
        """Delete a prompt's rollout, if there is one; raises NotFound, Forbidden, and
        EditedMeanwhile like `save`."""
        prompt, row = await self._writable(transaction, prompt_id, actor, seen)
        before = None if row is None else shown(row)
        # Checked even without a rollout: callers who may not delete one get the same error either
        # way.
        await self._admit(transaction, prompt, before, None, actor)
        if row is None:
            return
        await repository.remove(transaction.session, prompt.id)
        await self._recorded(transaction, prompt, row.id, actor, shown(row), None)

    async def running(
        self, transaction: Transaction, prompt_ids: Collection[str] | None = None
    ) -> dict[str, RunningRollout]:
        """Return the enabled rollouts of these prompts, or of all, by prompt, with what their
        variants serve."""
        rows = await repository.enabled(transaction.session, prompt_ids)
        prompt_versions = {
            (row.prompt_id, variant["version"]) for row in rows for variant in row.variants
        }
        versions = await self._prompts.served_versions(transaction, sorted(prompt_versions))
        served = {(version.prompt_id, version.version): version for version in versions}
        return {
            row.prompt_id: RunningRollout(
                row.salt,
                tuple(
                    RunningVariant(
                        variant["name"],
                        variant["weight"],
                        served[row.prompt_id, variant["version"]],
                    )
                    for variant in row.variants
                ),
            )
            for row in rows
            # A prompt that is deleted between the two queries takes its versions along.
            if all((row.prompt_id, variant["version"]) in served for variant in row.variants)
        }

    async def _writable(
        self, transaction: Transaction, prompt_id: str, actor: Actor, seen: SeenRollout | None
    ) -> tuple[PromptRow, RolloutRow | None]:
        """Return a prompt whose rollout the caller may change, locked until the commit, and the
        rollout, in the state that the caller has read."""
        prompt = await self._prompts.get(
            transaction, prompt_id, actor=actor, permission=Permission.ROLLOUTS_WRITE, lock=True
        )
        row = await repository.of_prompt(transaction.session, prompt.id)
        published = await self._prompts.published(transaction, prompt)
        refuse_outdated_rollout(prompt, published, row, seen)
        return prompt, row

    async def _admit(
        self, transaction: Transaction, prompt: PromptRow, before: Shown, after: Shown, actor: Actor
    ) -> None:
        states = _described(before), _described(after)
        await self._admission.admit(transaction, prompt, "rollout", *states, actor=actor)

    async def _check_versions(
        self,
        transaction: Transaction,
        prompt: PromptRow,
        variants: list[dict[str, Any]],
        actor: Actor,
    ) -> None:
        prompt_versions = [(prompt.id, variant["version"]) for variant in variants]
        versions = await self._prompts.served_versions(transaction, prompt_versions)
        published = {version.version for version in versions}
        for variant in variants:
            if variant["version"] not in published:
                raise BadRequest(
                    f"variant {variant['name']!r}: {variant['version']!r} is not a version of "
                    f"prompt {prompt.key!r}, and an enabled rollout serves versions only; "
                    f"GET /api/prompts/{prompt.id}/versions lists them"
                )
        if actor.environments:
            for variant in variants:
                await self._prompts.version(transaction, prompt, variant["version"], actor=actor)

    async def _recorded(
        self,
        transaction: Transaction,
        prompt: PromptRow,
        rollout_id: str,
        actor: Actor,
        before: Shown,
        after: Shown,
    ) -> None:
        self._audit.record(transaction, prompt, rollout_id, actor, before, after)
        place = (prompt.id, prompt.workspace_id, prompt.key, prompt.env)
        # Before the change of the prompt, which has to be the last of the transaction, because
        # responses may wait for it.
        if before != after:
            self._changes.record(transaction, Change(ChangeType.ROLLOUT_CHANGED, *place))
        if _serving(before) == _serving(after):
            return
        label = await self._prompts.published_label(transaction, prompt)
        self._history.record(
            transaction,
            prompt,
            actor=actor,
            action="rollout",
            version=label,
            previous_version=label,
            variants=after["variants"] if after and after["enabled"] else None,
        )
        version = label or prompt.version
        change = Change(ChangeType.PROMPT_UPDATED, *place, version, reason="rollout")
        self._changes.record(transaction, change)


def _new(prompt: PromptRow, now: datetime) -> RolloutRow:
    return RolloutRow(
        id=new_id(),
        prompt_id=prompt.id,
        enabled=False,
        variants=list(EMPTY),
        salt=new_id(),
        created_at=now,
    )


def _serving(rollout: Shown) -> Shown:
    """Return the part of a rollout that affects fetches: all of it while it is enabled, nothing
    otherwise."""
    return rollout if rollout and rollout["enabled"] else None


def _described(rollout: Shown) -> str | None:
    """`v1 at 90 %, v2 at 10 %`; None if the published version is served."""
    serving = _serving(rollout)
    if serving is None:
        return None
    shares = ((variant["version"], variant["weight"] / 100) for variant in serving["variants"])
    return ", ".join(f"{version} at {share:g} %" for version, share in shares)
