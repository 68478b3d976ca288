"""Reading the versions of agents and workflows that the caller may see."""

import re
from collections.abc import Mapping
from typing import Any, Generic

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions import repository
from promptops_platform.definitions.diff import compare
from promptops_platform.definitions.kinds import Kind, RowT
from promptops_platform.definitions.schemas import DRAFT, DefinitionDiff
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.definitions.states import ServedState
from promptops_platform.definitions.tables import DefinitionMoveRow, DefinitionVersionRow
from promptops_platform.errors import BadRequest, NotFound

COPIED = (
    *("id", "workspace_id", "key", "name", "description", "tags"),
    *("revision", "content_hash", "updated_by", "created_at", "updated_at"),
)
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class VersionReader(Generic[RowT]):
    """Finds versions of definitions of one kind, and the one to run."""

    def __init__(self, definitions: DefinitionService[RowT]) -> None:
        self._definitions = definitions
        self._states = definitions.states

    @property
    def kind(self) -> Kind[RowT]:
        """The kind of its definitions."""
        return self._definitions.kind

    async def page(
        self, transaction: Transaction, resource_id: str, part: Part, *, actor: Actor
    ) -> tuple[list[DefinitionVersionRow], ServedState, int]:
        """Return a page of versions, newest first, what is served of them, and their total number.
        A limited API key doesn't see versions that refer to environments closed to it."""
        row = await self._definitions.get(transaction, resource_id, actor=actor)
        state = await self._states.of(transaction, row)
        if not actor.environments:
            rows, total = await repository.versions(transaction.session, row.id, part)
            return rows, state, total
        rows, _ = await repository.versions(transaction.session, row.id, WHOLE)
        visible = [row for row in rows if self._definitions.may_see(actor, row.content)]
        return part.cut(visible), state, len(visible)

    async def get(
        self, transaction: Transaction, resource_id: str, number: int, *, actor: Actor
    ) -> tuple[DefinitionVersionRow, ServedState]:
        """Return a version and what is served; raises NotFound and Forbidden."""
        row = await self._definitions.get(transaction, resource_id, actor=actor)
        version = await self.version(transaction, row, number, actor)
        return version, await self._states.of(transaction, row)

    async def history(
        self, transaction: Transaction, resource_id: str, part: Part, *, actor: Actor
    ) -> tuple[list[DefinitionMoveRow], int]:
        """Return a page of the history of what was served, newest first, and its total length; a
        limited API key sees its own environments only."""
        row = await self._definitions.get(transaction, resource_id, actor=actor)
        return await repository.moves(transaction.session, row.id, actor.environments or None, part)

    async def diff(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        from_: str | None,
        to: str | None,
    ) -> DefinitionDiff:
        """Compare two versions, where `draft` is the working copy; without versions, return what a
        publish would change. Raises NotFound."""
        row = await self._definitions.get(transaction, resource_id, actor=actor)
        before = from_ or await self._first_served(transaction, row, actor)
        after = to or DRAFT
        old = await self._state(transaction, row, "from", before, actor)
        new = await self._state(transaction, row, "to", after, actor)
        return compare(old, new, from_=before, to=after)

    async def runnable(
        self,
        transaction: Transaction,
        row: RowT,
        *,
        version: int | None,
        env: str | None,
        actor: Actor,
    ) -> RowT:
        """Return a copy of a definition with the content to run: of this version, or of what this
        environment serves. The default is what the first environment serves, which is the working
        copy until the first publish there. The copy isn't attached to a session.

        Raises BadRequest if both are given, NotFound if either doesn't exist or isn't served, and
        Forbidden.
        """
        if version is not None and env is not None:
            raise BadRequest(
                f"version: {version} was sent together with env {env!r}; a run accepts only one "
                "of them, "
                "so leave one out"
            )
        if version is None:
            state = await self._states.of(transaction, row)
            version = self._served_for_run(row, state, env, actor)
        if version is None:
            return self._copy(row, row.version, self._definitions.content_of(row))
        pinned = await self.version(transaction, row, version, actor)
        return self._copy(row, version, self.filled(pinned))

    def _copy(self, row: RowT, version: int, content: Mapping[str, Any]) -> RowT:
        table: Any = self.kind.table
        own = {name: getattr(row, name) for name in COPIED}
        copy: RowT = table(version=version, **own, **content)
        return copy

    def _served_for_run(
        self, row: RowT, state: ServedState, env: str | None, actor: Actor
    ) -> int | None:
        """Return the version that an environment serves, None for the working copy."""
        first = state.first_for(actor)
        first_name = first.name if first else None
        if env is not None:
            require_environment(actor, env)
            self.require_known(state, env)
        number = state.number_in(env or first_name or "")
        if number is None and env not in (None, first_name):
            raise NotFound(
                f"env: {self.kind.noun} {row.key!r} is not published in {env!r}; publish or "
                f"promote it there: POST {self.kind.path}/{row.id}/promote"
            )
        return number

    def require_known(self, state: ServedState, env: str) -> None:
        names = [environment.name for environment in state.environments]
        if env not in names:
            raise NotFound(
                f"env: the workspace has no environment {env!r}; use one of {', '.join(names)}"
            )

    def filled(self, version: DefinitionVersionRow) -> dict[str, Any]:
        """Return the definition, with the defaults of fields that older releases didn't have."""
        return {**self.kind.defaults, **version.content}

    async def version(
        self, transaction: Transaction, row: RowT, number: int, actor: Actor
    ) -> DefinitionVersionRow:
        """Return a version that the caller may see; raises NotFound and Forbidden."""
        version = await repository.version(transaction.session, row.id, number)
        if version is None:
            raise NotFound(
                f"version {number} of {self.kind.noun} {row.key!r} not found; "
                f"GET {self.kind.path}/{row.id}/versions lists them"
            )
        self._definitions.require_visible(actor, version.content)
        return version

    async def _first_served(self, transaction: Transaction, row: RowT, actor: Actor) -> str:
        state = await self._states.of(transaction, row)
        first = state.first_for(actor)
        number = state.number_in(first.name) if first else None
        if number is None:
            raise NotFound(
                f"from: {self.kind.noun} {row.key!r} has no published version to compare with; "
                "publish it first, or name a version"
            )
        return str(number)

    async def _state(
        self, transaction: Transaction, row: RowT, field: str, name: str, actor: Actor
    ) -> dict[str, Any]:
        if name == DRAFT:
            return self._definitions.content_of(row)
        if not NUMBER.fullmatch(name):
            raise BadRequest(f"{field}: {name!r} is not a version; send a number, or {DRAFT}")
        return (await self.version(transaction, row, int(name), actor)).content
