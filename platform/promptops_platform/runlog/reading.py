"""Reading the part of the run log that the caller may see."""

from collections.abc import Sequence
from dataclasses import replace

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import seen_scopes, sees
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.runlog import repository, search
from promptops_platform.runlog.outliers import MOST_READ, Chart, chart_of
from promptops_platform.runlog.search import Place, RunFilter, Total
from promptops_platform.runlog.states import status_of
from promptops_platform.runlog.tables import RunRow, RunStepRow


class RunReader:
    """Single runs, pages of runs, and charts."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    async def get(self, transaction: Transaction, run_id: str, *, actor: Actor) -> RunRow:
        """Return a run; raises NotFound, also if the caller may not see it."""
        row = await repository.get(transaction.session, run_id)
        if row is None or not self._may_see(actor, row):
            raise _not_found(run_id)
        return row

    def require(self, row: RunRow, *, actor: Actor) -> None:
        """Raises NotFound if the caller may no longer read a run that it has read before."""
        permitted = self._grants.has(actor, Permission.RUNS_READ, row.workspace_id)
        if not permitted or not self._may_see(actor, row):
            raise _not_found(row.id)

    async def steps(self, transaction: Transaction, run_id: str) -> list[RunStepRow]:
        """Return the finished steps of a run, in order."""
        return await repository.steps(transaction.session, run_id)

    async def page(
        self,
        transaction: Transaction,
        filters: RunFilter,
        *,
        actor: Actor,
        workspace: str | None,
        limit: int,
        offset: int,
        before: str | None,
    ) -> tuple[list[RunRow], Total]:
        """Return a page of runs, newest first, and the total number of matches; `before` is the id
        of a run and limits the page to runs before it.

        Without a workspace (id or slug), runs of all workspaces that the caller may see are
        returned. Raises NotFound for an unknown workspace, BadRequest for an unknown run and for a
        prompt's environment or version without the prompt.
        """
        seen = self._seen(filters, actor, workspace)
        place = await self._place(transaction, before, actor)
        rows = await search.page(
            transaction.session, seen, limit=limit, offset=offset, before=place
        )
        return rows, await search.total(transaction.session, seen)

    async def chart(
        self,
        transaction: Transaction,
        filters: RunFilter,
        *,
        actor: Actor,
        workspace: str | None,
    ) -> Chart:
        """Return the newest of these runs as points over time; raises what `page` raises."""
        seen = self._seen(filters, actor, workspace)
        return chart_of(await search.points(transaction.session, seen, most=MOST_READ + 1))

    def _seen(self, filters: RunFilter, actor: Actor, workspace: str | None) -> RunFilter:
        """Restrict the filter to what the caller may see."""
        if filters.prompt is None and (filters.prompt_env or filters.prompt_version):
            raise BadRequest("prompt: is required with prompt_env and prompt_version; send its key")
        if filters.key is None and filters.version is not None:
            raise BadRequest("key: is required with version; send that of the definition")
        if filters.status and filters.state and filters.status != status_of(filters.state):
            raise BadRequest(
                f"state: {filters.state!r} runs have the status {status_of(filters.state)!r}, not "
                f"{filters.status!r}; leave out one of the two"
            )
        scopes = seen_scopes(actor)
        return replace(
            filters,
            workspaces=seen_workspaces(self._grants, actor, workspace),
            scopes=None if scopes is None else sorted(scopes),
        )

    async def _place(
        self, transaction: Transaction, before: str | None, actor: Actor
    ) -> Place | None:
        if before is None:
            return None
        row = await repository.get(transaction.session, before)
        if row is None or not self._may_see(actor, row):
            raise BadRequest(f"before: there is no run {before!r}; send the id of a listed one")
        return Place(row.created_at, row.id)

    def _may_see(self, actor: Actor, row: RunRow) -> bool:
        return self._grants.can_read(actor, row.workspace_id) and sees(actor, row.scope)


def seen_workspaces(grants: Grants, actor: Actor, workspace: str | None) -> Sequence[str] | None:
    """Return the ids of the workspaces to read, None for all; raises NotFound for a workspace that
    the caller may not see."""
    if workspace is not None:
        workspace_id = grants.find(actor, workspace)
        if workspace_id is None:
            raise NotFound(f"workspace {workspace!r} not found; GET /api/workspaces lists them")
        return [workspace_id]
    readable = grants.readable(actor)
    return None if readable is None else sorted(readable)


def _not_found(run_id: str) -> NotFound:
    return NotFound(f"run {run_id!r} not found; GET /api/runs lists them")
