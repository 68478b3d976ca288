"""The changes of prompts and their rollouts that change requests can make."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.change_requests.served import REVISION, SOURCE_REVISION, Place, Served
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedOrder
from promptops_platform.errors import NotFound
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.diff import compare
from promptops_platform.prompts.promotion import Order, Promotion
from promptops_platform.prompts.schemas import PromptDiff
from promptops_platform.prompts.service import PromptService
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.audit import shown
from promptops_platform.rollouts.schemas import RolloutUpdate
from promptops_platform.rollouts.service import RolloutService

# These overwrite or delete the working copy.
OVERWRITING = frozenset({"rollback", "promote", "delete"})


class PromptChanges:
    """Publish, rollback, promotion, rollout and deletion of prompts."""

    read = Permission.PROMPTS_READ
    write = Permission.PROMPTS_WRITE

    def __init__(
        self, prompts: PromptService, promotion: Promotion, rollouts: RolloutService
    ) -> None:
        self._prompts = prompts
        self._promotion = promotion
        self._rollouts = rollouts

    async def pin(
        self, transaction: Transaction, place: Place, order: ServedOrder, actor: Actor
    ) -> ServedOrder:
        """Replace a publish of the working copy by a publish of a new version of it."""
        arguments = order.arguments
        if order.action not in ("publish", "promote") or arguments["version"]:
            return order
        if order.action == "publish":
            version = await self._prompts.make_version(
                transaction, order.resource_id, actor=actor, note=arguments["note"]
            )
            return replace(order, arguments={**arguments, "version": version.version})
        source = await self._prompts.get(transaction, order.resource_id, actor=actor)
        label = await self._prompts.published_label(transaction, source)
        return replace(order, arguments={**arguments, "version": label})

    async def served(
        self, transaction: Transaction, place: Place, order: ServedOrder, *, lock: bool = False
    ) -> Served:
        revisions = {}
        if order.action == "promote":
            target = await self._prompts.find_in_slot(transaction, place, lock=lock)
            if not order.arguments["version"]:
                source = await self._find(transaction, order.resource_id)
                revisions[SOURCE_REVISION] = source.revision if source else 0
        else:
            target = await self._find(transaction, order.resource_id, lock=lock)
            if target is not None and target.env != place.env:
                target = None
        if target is None:
            return Served(revisions=revisions)
        version = await self._prompts.published_label(transaction, target)
        if version is None or order.action in OVERWRITING:
            revisions[REVISION] = target.revision
        row = (
            target
            if version is None
            else await self._prompts.version(transaction, target, version, actor=SYSTEM)
        )
        _, rollout = await self._rollouts.get(transaction, target.id, actor=SYSTEM)
        environments = frozenset({row.env})
        return Served(version, Body.of(row).columns(), shown(rollout), revisions, environments)

    async def carry_out(self, transaction: Transaction, order: ServedOrder, actor: Actor) -> None:
        arguments, prompt_id = order.arguments, order.resource_id
        match order.action:
            case "publish":
                await self._prompts.publish(
                    transaction,
                    prompt_id,
                    actor=actor,
                    label=arguments["version"],
                    note=arguments["note"],
                )
            case "rollback":
                await self._prompts.rollback(
                    transaction, prompt_id, arguments["version"], actor=actor
                )
            case "promote":
                note = arguments["note"] or ""
                promotion = Order(
                    arguments["env"], arguments["publish"], arguments["version"], note
                )
                await self._promotion.promote(transaction, prompt_id, promotion, actor=actor)
            case "rollout":
                update = RolloutUpdate.model_validate(arguments["update"])
                await self._rollouts.save(transaction, prompt_id, update, actor=actor)
            case "delete_rollout":
                await self._rollouts.remove(transaction, prompt_id, actor=actor)
            case "delete":
                await self._prompts.delete(transaction, prompt_id, actor=actor)

    def complete(self, order: ServedOrder, after: Served) -> ServedOrder:
        """Return a rollout's order with all its variants and its salt, which is random for a new
        one."""
        if order.action != "rollout":
            return order
        return replace(order, arguments={"update": dict(after.rollout or {})})

    def environments(self, before: Served, after: Served) -> frozenset[str]:
        """What is served belongs to its environment, wherever it was published."""
        return after.environments

    def diff(
        self, before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]
    ) -> PromptDiff:
        return compare(Body(**before), Body(**after), from_=names[0], to=names[1])

    async def _find(
        self, transaction: Transaction, prompt_id: str, *, lock: bool = False
    ) -> PromptRow | None:
        try:
            return await self._prompts.get(transaction, prompt_id, actor=SYSTEM, lock=lock)
        except NotFound:
            return None
