"""Reading the prompts that the caller may see."""

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
    ) -> search.PromptPage:
        """Return a page of the matching prompts, or all of them, newest change first, from the
        workspaces and environments that the caller may see."""
        seen = replace(
            filters,
            readable=self._grants.readable(actor),
            environments=actor.environments or None,
        )
        if limit is None:
            rows = await search.all_matching(transaction.session, seen)
            return search.PromptPage(rows[offset:], len(rows), total_is_at_least=False)
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
        """Return a prompt; raises NotFound, also if the caller may not see it, and Forbidden."""
        if lock:
            # Lock the workspace first, in the order that deleting a workspace uses: the caller may
            # need that lock later.
            await repository.lock_workspace_of(transaction.session, prompt_id)
        row = await repository.get(transaction.session, prompt_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"prompt {prompt_id!r} not found; GET /api/prompts lists them")
        require_environment(actor, row.env)
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def find_in_slot(
        self, transaction: Transaction, slot: Slot, *, lock: bool = False
    ) -> PromptRow | None:
        """Return the prompt of a workspace, environment and key, without a permission check."""
        return await repository.find_in_slot(transaction.session, slot, lock=lock)

    async def published(self, transaction: Transaction, row: PromptRow) -> ServedVersion | None:
        """Return the published version, None before the first publish."""
        if row.published_id is None:
            return None
        note = ("published", row.published_id)
        if note not in transaction.notes:
            # Versions are immutable, so the row that this transaction has loaded is current.
            transaction.notes[note] = await repository.published(transaction.session, row)
        published: ServedVersion = transaction.notes[note]
        return published

    async def published_label(self, transaction: Transaction, row: PromptRow) -> str | None:
        """Return the published label, None before the first publish."""
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
        """Return a page of the versions, newest first, and their total number; raises NotFound for
        an unknown prompt.

        If the prompt was moved, an API key that is limited to environments sees only the versions
        published in those environments and the served one.
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
        """Return a page of the history of what was served, newest first, and its total length;
        raises NotFound. A limited API key sees only its own environments."""
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
        """Return a version of a prompt; raises NotFound, and Forbidden for a limited API key if the
        version was published in another environment before the prompt was moved."""
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
        """Compare two labels, where `draft` is the working copy; without labels, return what a
        publish would change. Raises NotFound."""
        row = await self.get(transaction, prompt_id, actor=actor)
        before = from_ or await self.published_label(transaction, row)
        if before is None:
            raise NotFound(
                f"from: prompt {row.key!r} has no published version to compare with; publish it "
                "first"
            )
        after = to or DRAFT
        # Older releases allowed the label `draft`; here it means that published version.
        old = (
            await self._state(transaction, row, from_, actor)
            if from_
            else Body.of(await self.version(transaction, row, before, actor=actor))
        )
        new = await self._state(transaction, row, after, actor)
        return compare(old, new, from_=before, to=after)

    async def served(self, transaction: Transaction, slots: Sequence[Slot]) -> list[ServedPrompt]:
        """Return what these slots serve; slots without a prompt are left out."""
        return await repository.served(transaction.session, slots)

    def all_served(self, transaction: Transaction) -> AsyncIterator[ServedPrompt]:
        """Return what every slot serves."""
        return repository.all_served(transaction.session)

    async def served_versions(
        self, transaction: Transaction, prompt_versions: Sequence[tuple[str, str]]
    ) -> list[ServedPrompt]:
        """Return what these versions, given by prompt and label, serve; unknown ones are left
        out."""
        return await repository.served_versions(transaction.session, prompt_versions)

    async def _state(
        self, transaction: Transaction, row: PromptRow, label: str, actor: Actor
    ) -> Body:
        if label == DRAFT:
            return Body.of(row)
        return Body.of(await self.version(transaction, row, label, actor=actor))
