"""Resolves a reference to a prompt: to the published version, the variant of a rollout, a version
by its label, or the working copy. What the SDKs fetch is the same, prepared in `snapshot.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.labels import DRAFT
from promptops_platform.prompts.schemas import ServedPrompt
from promptops_platform.prompts.service import PromptService
from promptops_platform.rollouts.service import RolloutService
from promptops_providers.protocol import PromptVersion


@dataclass(frozen=True, slots=True)
class PromptReference:
    """A prompt of a workspace by key; without `version`, what is served to the subject."""

    key: str
    env: str
    version: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Return the reference that a definition stores."""
        return cls(stored["key"], stored["env"], stored.get("version") or None)


@dataclass(frozen=True, slots=True)
class Referrer:
    """What refers to the prompt: error messages contain it, and the field to correct."""

    field: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    """The version of a prompt that a run used, and the variant if a rollout selected it."""

    key: str
    env: str
    version: str
    variant: str | None = None

    @property
    def counted(self) -> PromptVersion:
        """The version under which the run is counted."""
        return PromptVersion(self.key, self.env, self.version, self.variant)


@dataclass(frozen=True, slots=True)
class ResolvedPrompt:
    """The body and its version; `is_draft` for a requested working copy."""

    workspace_id: str
    prompt_id: str
    used: UsedPrompt
    body: Body
    is_draft: bool = False


class PromptResolver:
    """Resolves the body of a prompt. Nothing else reads one to run it."""

    def __init__(self, prompts: PromptService, rollouts: RolloutService) -> None:
        self._prompts = prompts
        self._rollouts = rollouts

    async def resolve(
        self,
        transaction: Transaction,
        workspace_id: str,
        reference: PromptReference,
        subject: str | None = None,
        *,
        referrer: Referrer,
        actor: Actor,
    ) -> ResolvedPrompt:
        """Raises NotFound if the reference can't be resolved, and Forbidden for an API key of other
        environments."""
        require_environment(actor, reference.env)
        slot = (workspace_id, reference.env, reference.key)
        slots = await self._prompts.served(transaction, [slot])
        if not slots:
            raise NotFound(
                f"{referrer.field}: prompt {reference.key!r} of {referrer.kind} {referrer.key!r} "
                f"is not in environment {reference.env!r} of its workspace; create it there, or "
                f"edit the {referrer.kind}"
            )
        served = slots[0]
        if reference.version is not None:
            return await self._version(
                transaction, served, reference.version, referrer=referrer, actor=actor
            )
        rollouts = await self._rollouts.running(transaction, [served.prompt_id])
        rollout = rollouts.get(served.prompt_id)
        if rollout is None:
            return _resolved(served)
        variant = rollout.variant_for(subject)
        return _resolved(variant.served, variant.name)

    async def resolve_by_id(
        self,
        transaction: Transaction,
        prompt_id: str,
        version: str | None,
        *,
        actor: Actor,
        permission: Permission,
    ) -> ResolvedPrompt:
        """Resolve a version of a prompt by its label, or the working copy; raises NotFound and
        Forbidden."""
        row = await self._prompts.get(transaction, prompt_id, actor=actor, permission=permission)
        if version is None:
            used = UsedPrompt(row.key, row.env, DRAFT)
            return ResolvedPrompt(row.workspace_id, row.id, used, Body.of(row), is_draft=True)
        stored = await self._prompts.version(transaction, row, version, actor=actor)
        used = UsedPrompt(row.key, row.env, stored.version)
        return ResolvedPrompt(row.workspace_id, row.id, used, Body.of(stored))

    async def _version(
        self,
        transaction: Transaction,
        served: ServedPrompt,
        label: str,
        *,
        referrer: Referrer,
        actor: Actor,
    ) -> ResolvedPrompt:
        versions = await self._prompts.served_versions(transaction, [(served.prompt_id, label)])
        if not versions:
            raise NotFound(
                f"{referrer.field}: {referrer.kind} {referrer.key!r} uses version {label!r} of "
                f"prompt {served.key!r}, which is not found; "
                f"GET /api/prompts/{served.prompt_id}/versions lists them"
            )
        if actor.environments:
            row = await self._prompts.get(transaction, served.prompt_id, actor=actor)
            await self._prompts.version(transaction, row, label, actor=actor)
        return _resolved(versions[0])


def _resolved(served: ServedPrompt, variant: str | None = None) -> ResolvedPrompt:
    used = UsedPrompt(served.key, served.env, served.version, variant)
    return ResolvedPrompt(served.workspace_id, served.prompt_id, used, Body.of(served))
