"""`map`: runs a step for each item of a list, several at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from promptops_flows.steps.context import ItemCounts, StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import MAPPED_STEP, KindSchema, described, integer, text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.policy import ORDINARY, StepPolicy
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_flows.steps.spending import total_spent
from promptops_flows.steps.step import Action, ParseContext, Template
from promptops_flows.steps.values import rendered_value
from promptops_flows.templates.language import value_text
from promptops_flows.templates.references import Scope, only_name
from promptops_providers.protocol import PromptVersion

MAX_ITEMS = 10_000
MAX_WIDTH = 64
DEFAULT_WIDTH = 8
NOT_MAPPED = {"map": "a map", "branch": "a branch", "approval": "an approval"}
_OF_THE_MAP = ("retries", "cache_seconds", "concurrency")


@dataclass(frozen=True, slots=True)
class MapItems(Action):
    """`over` is a template whose value is a list; the action gets each item as the variable
    `item_name`, and its position as `index`. A retry runs only the items that failed before."""

    over: str
    item_name: str
    action: Action
    width: int = DEFAULT_WIDTH
    policy: StepPolicy = ORDINARY
    type: ClassVar[str] = "map"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "over": described(
                text(MAX_TEMPLATE_CHARACTERS),
                "Template whose value is a list; `{{input}}` by default.",
            ),
            "as": described(
                text(100), "Name of the variable that contains the item; `item` by default."
            ),
            "step": MAPPED_STEP,
            "width": described(
                integer(1, MAX_WIDTH), "Number of items that are processed at the same time."
            ),
        },
        required=("step",),
        description="Runs a step for each item of a list, several at a time.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        step = fields.inner("step")
        if step is None:
            raise fields.error("step", "is missing, give the step that runs for each item")
        action = context.parse_action(step, context)
        if action.type in NOT_MAPPED:
            raise fields.error(
                "step", f"is {NOT_MAPPED[action.type]}, which can't run for each item"
            )
        policy = StepPolicy.parse(step)
        wrong = [name for name in _OF_THE_MAP if getattr(policy, name) != getattr(ORDINARY, name)]
        if wrong:
            raise fields.error(
                "step", "can't have retries, cache or concurrency of its own; give them to the map"
            )
        return cls(
            fields.text("over", MAX_TEMPLATE_CHARACTERS) or "{{input}}",
            fields.text("as", 100).strip() or "item",
            action,
            fields.integer("width", 1, MAX_WIDTH, default=DEFAULT_WIDTH),
            policy,
        )

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        return self.action.models

    @property
    def providers(self) -> frozenset[str]:
        return self.action.providers

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        return self.action.prompts

    def own_names(self) -> frozenset[str]:
        return frozenset((self.item_name, "index"))

    def templates(self) -> Iterable[Template]:
        yield Template("over", self.over)
        for template in self.action.templates():
            yield Template("step", template.text)

    def inputs(self, scope: Scope) -> Any:
        return [rendered_value(self.over, scope), self.action.inputs(scope)]

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        items = await self._items(scope)
        run = _MapRun(self, scope, context.for_items())
        done: dict[int, StepOutput] = context.memory.setdefault("items", {})
        failures = await run.execute(items, done)
        failed = {**failures, **{at: "" for at, output in done.items() if output.failed}}
        counts = ItemCounts(len(items), len(items) - len(failed), len(failed))
        if failures:
            first = min(failures)
            summary = f"{len(failures):,} of {len(items):,} items failed"
            raise StepError(
                f"{summary}, the first is item {first + 1}: {failures[first]}",
                summary,
                retryable=True,
                items=counts,
            )
        outputs = [done[at] for at in range(len(items))]
        values = [output.readable for output in outputs]
        provider = next((output.provider for output in outputs if output.provider), None)
        return StepOutput(
            await asyncio.to_thread(value_text, values),
            provider=provider,
            model=next((output.model for output in outputs if output.model), None),
            spent=total_spent(outputs, context.access),
            value=values,
            items=counts,
        )

    def _no_list(self, value: Any) -> StepError:
        # A placeholder that nothing fills stays in the text.
        if value == self.over and (name := only_name(self.over)):
            return StepError(
                f"over: nothing fills {{{{{name}}}}}; use a variable, or the output of a "
                "step as {{steps.NAME.output}}"
            )
        return StepError("over is not a list; use a placeholder of a list, or JSON")

    async def _items(self, scope: Scope) -> list[Any]:
        value = await asyncio.to_thread(rendered_value, self.over, scope)
        if isinstance(value, str):
            try:
                value = await asyncio.to_thread(json.loads, value)
            except (ValueError, RecursionError) as error:
                raise self._no_list(value) from error
        if not isinstance(value, list):
            raise self._no_list(value)
        if len(value) > MAX_ITEMS:
            raise StepError(
                f"over has {len(value):,} items, at most {MAX_ITEMS:,} are allowed; split the list"
            )
        return value


class _MapRun:
    def __init__(self, plan: MapItems, scope: Scope, context: StepContext) -> None:
        self._plan = plan
        self._scope = scope
        self._context = context

    async def execute(self, items: list[Any], done: dict[int, StepOutput]) -> dict[int, str]:
        """Run the items that are not done yet; return the errors of the failed ones."""
        failures: dict[int, str] = {}
        places = iter([at for at in range(len(items)) if at not in done])

        async def work() -> None:
            for place in places:
                try:
                    done[place] = await self._run_item(items[place], place)
                except StepError as error:
                    failures[place] = str(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._plan.width, len(items))):
                group.create_task(work())
        return failures

    async def _run_item(self, item: Any, place: int) -> StepOutput:
        policy = self._plan.policy
        own = {self._plan.item_name: item, "index": place}
        scope = replace(
            self._scope,
            own=own,
            input=item if isinstance(item, str) else value_text(item),
            value=None if isinstance(item, str) else item,
        )
        try:
            async with asyncio.timeout(policy.timeout_seconds):
                return await self._plan.action.run(scope, self._context)
        except TimeoutError:
            error = StepError(f"it took longer than its timeout of {policy.timeout_seconds:g} s")
        except StepError as failure:
            error = failure
        if not policy.continue_on_error:
            raise error
        default = policy.default
        text = default if isinstance(default, str) else value_text(default)
        return StepOutput(text, value=None if isinstance(default, str) else default, failed=True)
