"""`workflow`: runs another workflow, as a separate flow in Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from promptops_flows.steps.agent import passed_variables
from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import OBJECT, KindSchema, described
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Action, ParseContext, Template
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.values import value_templates
from promptops_flows.templates.references import Scope
from promptops_providers.protocol import PromptVersion


@dataclass(frozen=True, slots=True)
class RunWorkflow(Action):
    """Without `variables` the workflow gets those of the run; `input` is the incoming text. `plan`
    is set before a run starts."""

    target: DefinitionTarget
    variables: Mapping[str, Any] | None = None
    plan: WorkflowPlan | None = None
    type: ClassVar[str] = "workflow"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            **DefinitionTarget.fields(),
            "variables": described(OBJECT, "The variables of the run by default."),
        },
        required=("key",),
        description="Runs another workflow and returns its output.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        variables = fields.mapping("variables") if fields.has("variables") else None
        return cls(DefinitionTarget.parse(fields), variables)

    @property
    def providers(self) -> frozenset[str]:
        return self.plan.providers if self.plan else frozenset()

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        return self.plan.prompts if self.plan else ()

    def templates(self) -> Iterable[Template]:
        return value_templates("variables", self.variables)

    def inputs(self, scope: Scope) -> Any:
        return [scope.input, dict(scope.variables), dict(scope.outputs)]

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        if self.plan is None:
            raise StepError(f"workflow {self.target.key!r} was not looked up when the run started")
        variables = await asyncio.to_thread(passed_variables, self.variables, scope)
        return await context.sub_runs.run(
            self.plan, self.target.key, self.target.version, variables
        )
