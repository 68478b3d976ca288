"""Reading prompts, as far as they exist for the caller."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.prompts import repository, search
from promptops_platform.prompts.body import Body, ServedVersion
from promptops_platform.prompts.diff import compare
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.labels import DRAFT
from promptops_platform.prompts.schemas import PromptDiff, PromptFilter, ServedPrompt, Slot
from promptops_platform.prompts.tables import PromptRow, PromptVersionRow, ServedMoveRow


class PromptReader:
    """Finds prompts, their versions and their history."""

    def __init__(self, grants: Grants, history: ServedHistory) -> None:
        self._grants = grants
        self._history = history

    async def search(
        self,
        transaction: Transaction,
        filters: PromptFilter,
        *,
        actor: Actor,
        limit: int | None,
        offset: int,
    ) -> search.Found:
        """A part of the prompts that are wanted, or all of them, newest change first; of those
        workspaces and environments that exist for the caller."""
        seen = replace(
            filters,
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
        if lock:
            # In this order, as a deletion of the workspace has it: it may be needed later on.
            await repository.hold_workspace_of(transaction.session, prompt_id)
        row = await repository.get(transaction.session, prompt_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"prompt {prompt_id!r} not found; GET /api/prompts lists them")
        require_environment(actor, row.env)
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def find_in_slot(
        self, transaction: Transaction, slot: Slot, *, lock: bool = False
    ) -> PromptRow | None:
        """The prompt of a workspace, an environment and a key, whoever asks."""
        return await repository.in_slot(transaction.session, slot, lock=lock)

    async def published(self, transaction: Transaction, row: PromptRow) -> ServedVersion | None:
        """What is published, None before the first publish."""
        if row.published_id is None:
            return None
        note = ("published", row.published_id)
        if note not in transaction.notes:
            # A version never changes: what this transaction has read of it stays true.
            transaction.notes[note] = await repository.published(transaction.session, row)
        published: ServedVersion = transaction.notes[note]
        return published

    async def published_label(self, transaction: Transaction, row: PromptRow) -> str | None:
        """The label that is published, None before the first publish."""
        published = await self.published(transaction, row)
        return published.label if published else None

    async def versions(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[PromptVersionRow], int]:
        """Published versions, newest first, and how many; raises NotFound for an unknown prompt.

        Of a prompt that was moved, an API key that is limited to environments sees the versions
        that were published in these, and the one that is served.
        """
        row = await self.get(transaction, prompt_id, actor=actor)
        return await repository.versions(
            transaction.session,
            row,
            environments=actor.environments or None,
            limit=limit,
            offset=offset,
        )

    async def moves(
        self, transaction: Transaction, prompt_id: str, *, actor: Actor, limit: int, offset: int
    ) -> tuple[list[ServedMoveRow], int]:
        """The history of what was served, newest first, and how long it is; raises NotFound. A
        limited API key sees that of its own environments."""
        await self.get(transaction, prompt_id, actor=actor)
        return await self._history.page(
            transaction,
            prompt_id,
            environments=actor.environments or None,
            limit=limit,
            offset=offset,
        )

    async def version(
        self, transaction: Transaction, row: PromptRow, label: str, *, actor: Actor
    ) -> PromptVersionRow:
        """A published version of a prompt; raises NotFound, and Forbidden for a limited API key
        where it was published in another environment, before the prompt was moved."""
        stored = await repository.version(transaction.session, row.id, label)
        if stored is None:
            raise NotFound(
                f"version {label!r} of prompt {row.key!r} not found; "
                f"GET /api/prompts/{row.id}/versions lists them"
            )
        if stored.id != row.published_id:
            require_environment(actor, stored.env)
        return stored

    async def diff(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        actor: Actor,
        from_: str | None,
        to: str | None,
    ) -> PromptDiff:
        """What differs between two labels, or the working copy as `draft`; without them, what a
        publish would change. Raises NotFound."""
        row = await self.get(transaction, prompt_id, actor=actor)
        before = from_ or await self.published_label(transaction, row)
        if before is None:
            raise NotFound(
                f"from: prompt {row.key!r} has no published version to compare with; publish it "
                "first"
            )
        after = to or DRAFT
        # An older release let versions be called `draft`, and that published one is meant here.
        old = (
            await self._state(transaction, row, from_, actor)
            if from_
            else Body.of(await self.version(transaction, row, before, actor=actor))
        )
        new = await self._state(transaction, row, after, actor)
        return compare(old, new, from_=before, to=after)

    async def served(self, transaction: Transaction, slots: Sequence[Slot]) -> list[ServedPrompt]:
        """What these slots serve; a slot without a prompt is left out."""
        return await repository.served(transaction.session, slots)

    def all_served(self, transaction: Transaction) -> AsyncIterator[ServedPrompt]:
        """What every slot serves."""
        return repository.all_served(transaction.session)

    async def served_versions(
        self, transaction: Transaction, prompt_versions: Sequence[tuple[str, str]]
    ) -> list[ServedPrompt]:
        """What these versions serve, each named by prompt and label; unknown ones are left out."""
        return await repository.served_versions(transaction.session, prompt_versions)

    async def _state(
        self, transaction: Transaction, row: PromptRow, label: str, actor: Actor
    ) -> Body:
        if label == DRAFT:
            return Body.of(row)
        return Body.of(await self.version(transaction, row, label, actor=actor))
