"""Which runs a caller may cancel or retry."""

from collections.abc import Mapping

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict
from promptops_platform.execution.subjects import RunSubject
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.tables import RunRow


class RunAccess:
    """`subjects` are the rooms whose definitions are run, keyed by the source of the runs."""

    def __init__(
        self, *, reader: RunReader, grants: Grants, subjects: Mapping[str, RunSubject]
    ) -> None:
        self._reader = reader
        self._grants = grants
        self._subjects = subjects

    async def find(
        self, transaction: Transaction, run_id: str, *, actor: Actor
    ) -> tuple[RunRow, RunSubject]:
        """Return a run that the caller may start, and so may end, and its definition's room.

        Raises NotFound, Forbidden, and Conflict if the run doesn't belong to a definition.
        """
        row = await self._reader.get(transaction, run_id, actor=actor)
        subject = self._subjects.get(row.source)
        if subject is None:
            raise Conflict(
                f"run {run_id!r} is a call of the playground, which ends when its caller hangs up "
                "and is sent again there; only runs of agents and workflows can be cancelled and "
                "retried"
            )
        self._grants.require(actor, subject.run_permission, row.workspace_id)
        return row, subject
