"""Triggers in the form of the API."""

from collections.abc import Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.service import Deployments
from promptops_platform.http.secret_paths import HOOKS_PATH
from promptops_platform.triggers.schemas import Trigger
from promptops_platform.triggers.secrets import until
from promptops_platform.triggers.service import KIND, ShownTrigger, TriggerService, action_fields
from promptops_platform.triggers.tables import TriggerRow


class TriggerViews:
    """`base_url` is this platform's public address."""

    def __init__(
        self,
        *,
        triggers: TriggerService,
        deployments: Deployments,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._deployments = deployments
        self._triggers = triggers
        self._base_url = base_url.rstrip("/")
        self._clock = clock

    async def shown(
        self, transaction: Transaction, rows: list[TriggerRow], *, actor: Actor
    ) -> list[Trigger]:
        """Return triggers that the caller may read; whole addresses only for callers who may change
        them."""
        return await self._shown(transaction, [ShownTrigger(row) for row in rows], actor)

    async def shown_one(
        self, transaction: Transaction, trigger: ShownTrigger, *, actor: Actor
    ) -> Trigger:
        """Return a trigger that was just changed, with its secret if it was just created."""
        return (await self._shown(transaction, [trigger], actor))[0]

    async def _shown(
        self, transaction: Transaction, triggers: Sequence[ShownTrigger], actor: Actor
    ) -> list[Trigger]:
        fired = await self._triggers.last_fired(transaction, [row for row, _ in triggers])
        refs = [row.id for row, _ in triggers]
        urls = await self._deployments.urls(transaction, KIND, refs)
        now = self._clock.now()
        shown = []
        for row, secret in triggers:
            is_writer = self._triggers.may_write(row, actor=actor)
            url = f"{self._base_url}{HOOKS_PATH}{row.hook}" if row.hook and is_writer else None
            fields = action_fields(row, whole_url=is_writer)
            shown.append(
                Trigger(
                    id=row.id,
                    workspace_id=row.workspace_id,
                    key=row.key,
                    enabled=row.enabled,
                    state=_state(row),
                    state_reason=row.stopped_because or "",
                    on=row.condition,
                    url=url,
                    secret=secret,
                    previous_secret_until=until(row, now),
                    deployment_url=urls.get(row.id),
                    last_fired_at=fired.get(row.id),
                    revision=row.revision,
                    created_by=row.created_by,
                    updated_by=row.updated_by,
                    created_at=row.created_at,
                    updated_at=row.updated_at,
                    **fields,
                )
            )
        return shown


def _state(row: TriggerRow) -> str:
    if row.stopped_because is not None:
        return "stopped"
    return "active" if row.enabled else "disabled"
