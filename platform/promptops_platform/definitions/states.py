"""What environments serve of a definition, beside its working copy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions import repository
from promptops_platform.definitions.columns import DefinitionColumns
from promptops_platform.definitions.repository import ServedContent, ServedVersion
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import EnvironmentRow


@dataclass(frozen=True, slots=True)
class ServedState:
    """What the environments of a definition's workspace serve, in their order.

    `environments` are all environments of the workspace, `served` those that serve a version.
    """

    environments: Sequence[EnvironmentRow]
    served: dict[str, ServedVersion] = field(default_factory=dict)

    @property
    def first(self) -> EnvironmentRow | None:
        """The default environment."""
        return self.environments[0] if self.environments else None

    def first_for(self, actor: Actor) -> EnvironmentRow | None:
        """Return the first environment that the caller may enter; limited API keys have their
        own."""
        return next((row for row in self.environments if actor.may_enter(row.name)), None)

    def number_in(self, env: str) -> int | None:
        """Return the version that an environment serves; None if it serves none."""
        version = self.served.get(env)
        return version.number if version else None

    def numbers(self, actor: Actor) -> dict[str, int]:
        """Return the served versions by environment, for the environments that the caller may
        enter."""
        return {env: version.number for env, version in self.served.items() if actor.may_enter(env)}

    def is_ahead(self, row: DefinitionColumns, actor: Actor) -> bool:
        """Whether the next publish would change what the first environment serves."""
        first = self.first_for(actor)
        version = self.served.get(first.name) if first else None
        return version is not None and version.content_hash != row.content_hash


class ServedStates:
    """Reads them."""

    def __init__(self, environments: EnvironmentService) -> None:
        self._environments = environments

    async def of(self, transaction: Transaction, row: DefinitionColumns) -> ServedState:
        """Return what is served of a definition; read once per transaction, unless that changes
        it."""
        note = (self, row.id)
        if note not in transaction.notes:
            transaction.notes[note] = (await self.of_all(transaction, [row]))[0]
        state: ServedState = transaction.notes[note]
        return state

    def forget(self, transaction: Transaction, row: DefinitionColumns) -> None:
        """Drop the cached state, because this transaction has changed what is served."""
        transaction.notes.pop((self, row.id), None)

    async def of_all(
        self, transaction: Transaction, rows: Sequence[DefinitionColumns]
    ) -> list[ServedState]:
        """Return what is served of each of these definitions."""
        if not rows:
            return []
        workspaces = await self._environments.of_workspaces(
            transaction, {row.workspace_id for row in rows}
        )
        served: dict[str, list[ServedVersion]] = {}
        for version in await repository.served(transaction.session, [row.id for row in rows]):
            served.setdefault(version.resource_id, []).append(version)
        return [
            _state(workspaces.get(row.workspace_id, ()), served.get(row.id, ())) for row in rows
        ]


def _state(environments: Sequence[EnvironmentRow], served: Iterable[ServedVersion]) -> ServedState:
    by_name = {version.env: version for version in served}
    in_order = {row.name: by_name[row.name] for row in environments if row.name in by_name}
    return ServedState(environments, in_order)


async def served_contents(
    transaction: Transaction, workspace_id: str, text: str
) -> list[ServedContent]:
    """Return what the environments of a workspace serve, for contents whose JSON contains this
    text."""
    return await repository.served_contents(transaction.session, workspace_id, text)
