"""Builds the API's form of change requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.change_requests import repository
from promptops_platform.change_requests.rights import Rights
from promptops_platform.change_requests.schemas import (
    ChangeApproval,
    ChangeRequest,
    ChangeRequestDetail,
    ChangeRequestDiff,
    ChangeRequestEvent,
    ServedSide,
)
from promptops_platform.change_requests.served import GuardedKind, Place, outdated_because
from promptops_platform.change_requests.tables import (
    OPEN,
    ChangeRequestApprovalRow,
    ChangeRequestRow,
)
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedOrder
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import EnvironmentRow


def place_of(row: ChangeRequestRow) -> Place:
    return Place(row.workspace_id, row.env, row.key)


def order_of(row: ChangeRequestRow) -> ServedOrder:
    return ServedOrder(row.action, row.resource_id, row.arguments)


class RequestViews:
    """Adds values that are computed for each response: approvals, whether the request is outdated,
    and the caller's rights."""

    def __init__(
        self, kinds: Mapping[str, GuardedKind], rights: Rights, environments: EnvironmentService
    ) -> None:
        self._kinds = kinds
        self._rights = rights
        self._environments = environments

    async def listed(
        self, transaction: Transaction, rows: Sequence[ChangeRequestRow], *, actor: Actor
    ) -> list[ChangeRequest]:
        """Return requests in the form of lists."""
        approvals = await repository.approvals(transaction.session, [row.id for row in rows])
        workspaces = {row.workspace_id for row in rows}
        environments = {
            (environment.workspace_id, environment.name): environment
            for places in (await self._environments.of_workspaces(transaction, workspaces)).values()
            for environment in places
        }
        return [
            ChangeRequest(
                **await self._fields(
                    transaction,
                    row,
                    environments.get((row.workspace_id, row.env)),
                    approvals.get(row.id, []),
                    actor,
                )
            )
            for row in rows
        ]

    async def detailed(
        self, transaction: Transaction, row: ChangeRequestRow, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Return a request with its contents and events."""
        (listed,) = await self.listed(transaction, [row], actor=actor)
        events = await repository.events(transaction.session, row.id)
        return ChangeRequestDetail(
            **listed.model_dump(),
            before=ServedSide(**row.before),
            after=ServedSide(**row.after),
            diff=self._diff(row),
            events=[ChangeRequestEvent.of(event, id=str(event.id)) for event in events],
        )

    def _diff(self, row: ChangeRequestRow) -> ChangeRequestDiff:
        before, after = (side["content"] or {} for side in (row.before, row.after))
        names = row.before_version or "before", row.after_version or "after"
        diff: Any = self._kinds[row.kind].diff(before, after, names)
        field = "prompt" if row.kind == "prompt" else "definition"
        return ChangeRequestDiff(**{field: diff})

    async def _fields(
        self,
        transaction: Transaction,
        row: ChangeRequestRow,
        environment: EnvironmentRow | None,
        approvals: Sequence[ChangeRequestApprovalRow],
        actor: Actor,
    ) -> dict[str, Any]:
        outdated = await self.outdated(transaction, row) if row.state == OPEN else None
        approved_by = {approval.user_id for approval in approvals}
        refusals = self._rights.refusals(row, environment, approved_by, actor, outdated=outdated)
        computed = {
            "summary": summary_of(row),
            "note": row.arguments.get("note") or "",
            "approvals": [ChangeApproval.of(approval) for approval in approvals],
            "approvals_needed": environment.approvals if environment else 0,
            "outdated": outdated,
            "refusals": refusals,
        }
        own = {name: getattr(row, name) for name in ChangeRequest.model_fields.keys() - computed}
        return {**own, **computed}

    async def outdated(
        self, transaction: Transaction, row: ChangeRequestRow, *, lock: bool = False
    ) -> str | None:
        """Return why an open request can't be applied as it is; `lock` keeps the result valid until
        the commit."""
        place = place_of(row)
        served = await self._kinds[row.kind].served(transaction, place, order_of(row), lock=lock)
        return outdated_because(row.base, served, place)


def summary_of(row: ChangeRequestRow) -> str:
    """Return a sentence such as `publish v2 of prompt greeting in prod, which serves v1`."""
    what = f"{row.kind} {row.key} in {row.env}"
    match row.action:
        case "delete":
            return f"delete {what}"
        case "rollout":
            return f"change the rollout of {what}"
        case "delete_rollout":
            return f"delete the rollout of {what}"
    verb = {"rollback": "roll back to"}.get(row.action, row.action)
    serving = f", which serves {row.before_version}" if row.before_version else ""
    return f"{verb} {row.after_version or 'the draft'} of {what}{serving}"
