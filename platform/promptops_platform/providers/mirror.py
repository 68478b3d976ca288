"""All connections in memory, so that calling a model needs no query."""

from collections.abc import Collection, Sequence

from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database
from promptops_platform.providers import repository
from promptops_platform.providers.tables import ConnectionRow

CHANGES = frozenset({ChangeType.CONNECTION_CHANGED, ChangeType.WORKSPACE_DELETED})


class ConnectionMirror:
    """A consumer of the change feed. Keys stay encrypted in it, as they are stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[tuple[str, str], ConnectionRow] = {}

    async def load(self) -> None:
        async with self._database.read() as transaction:
            rows, _ = await repository.search(transaction.session, None, None, None)
        self._rows = {(row.workspace_id, row.name): row for row in rows}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(numbered.change.type in CHANGES for numbered in changes):
            await self.load()

    def find(self, workspace_id: str, name: str) -> ConnectionRow | None:
        """The connection of that name."""
        return self._rows.get((workspace_id, name))

    def names(self, workspaces: Collection[str] | None) -> list[str]:
        """The names of connections in these workspaces, None for all, each once and in order."""
        return sorted(
            {name for place, name in self._rows if workspaces is None or place in workspaces}
        )
