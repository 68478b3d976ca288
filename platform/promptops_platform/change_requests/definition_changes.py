"""The changes of agents and workflows that change requests can make."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.change_requests.served import REVISION, Place, Served
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedOrder
from promptops_platform.definitions.diff import compare
from promptops_platform.definitions.kinds import RowT
from promptops_platform.definitions.schemas import DefinitionDiff
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.definitions.versions import PromotionOrder, VersionService
from promptops_platform.errors import NotFound

# These overwrite or delete the working copy.
OVERWRITING = frozenset({"rollback", "delete"})


class DefinitionChanges(Generic[RowT]):
    """Publish, rollback, promotion and deletion of definitions of one kind."""

    def __init__(
        self, definitions: DefinitionService[RowT], versions: VersionService[RowT]
    ) -> None:
        self._definitions = definitions
        self._versions = versions
        self.read = definitions.kind.read
        self.write = definitions.kind.write

    async def pin(
        self, transaction: Transaction, place: Place, order: ServedOrder, actor: Actor
    ) -> ServedOrder:
        """Replace a publish of the working copy by a publish of a new version of it."""
        if order.action == "delete":
            return order
        arguments = {**order.arguments, "env": order.arguments["env"] or place.env}
        number = arguments["version"]
        if number is None and order.action == "promote":
            plan = PromotionOrder(
                env=arguments["env"], publish=False, source=arguments.pop("source")
            )
            promotion = await self._versions.promote(
                transaction, order.resource_id, plan, actor=actor
            )
            number = promotion.version
        if number is None:
            version, _ = await self._versions.make(
                transaction, order.resource_id, actor=actor, note=arguments["note"]
            )
            number = version.number
        return replace(order, arguments={**arguments, "version": number})

    async def served(
        self, transaction: Transaction, place: Place, order: ServedOrder, *, lock: bool = False
    ) -> Served:
        try:
            row = await self._definitions.get(
                transaction, order.resource_id, actor=SYSTEM, lock=lock
            )
        except NotFound:
            return Served()
        state = await self._definitions.states.of(transaction, row)
        number = state.number_in(place.env)
        runs_draft = number is None and state.first is not None and state.first.name == place.env
        revisions = {}
        if runs_draft or order.action in OVERWRITING:
            revisions[REVISION] = row.revision
        content = self._definitions.content_of(row) if runs_draft else None
        if number is not None:
            content = self._versions.filled(
                await self._versions.version(transaction, row, number, SYSTEM)
            )
        version = None if number is None else str(number)
        environments = self._definitions.environments_of(content or {})
        return Served(version, content, None, revisions, environments)

    async def carry_out(self, transaction: Transaction, order: ServedOrder, actor: Actor) -> None:
        arguments, resource_id = order.arguments, order.resource_id
        match order.action:
            case "publish":
                await self._versions.publish(
                    transaction,
                    resource_id,
                    actor=actor,
                    env=arguments["env"],
                    number=arguments["version"],
                    note=arguments["note"],
                )
            case "rollback":
                await self._versions.rollback(
                    transaction,
                    resource_id,
                    arguments["version"],
                    actor=actor,
                    env=arguments["env"],
                )
            case "promote":
                promotion = PromotionOrder(
                    env=arguments["env"], version=arguments["version"], note=arguments["note"]
                )
                await self._versions.promote(transaction, resource_id, promotion, actor=actor)
            case "delete":
                await self._definitions.delete(
                    transaction, resource_id, actor=actor, force=arguments["force"]
                )

    def complete(self, order: ServedOrder, after: Served) -> ServedOrder:
        """Return the order unchanged, because it is complete."""
        return order

    def environments(self, before: Served, after: Served) -> frozenset[str]:
        return before.environments | after.environments

    def diff(
        self, before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]
    ) -> DefinitionDiff:
        return compare(before, after, from_=names[0], to=names[1])
