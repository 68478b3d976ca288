"""`agent`: runs an agent and returns its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import OBJECT, KindSchema, described, text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.plans import AgentPlan
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_flows.steps.step import Action, ParseContext, Template, rendered
from promptops_flows.steps.targets import MAX_SUBJECT_CHARACTERS, DefinitionTarget
from promptops_flows.steps.values import rendered_value, value_templates
from promptops_flows.templates.references import Scope
from promptops_providers.protocol import PromptVersion


@dataclass(frozen=True, slots=True)
class RunAgent(Action):
    """Without `variables` the agent gets those of the run; `input` is the incoming text. `message`
    is a template for the user's message, `subject` a template over the run's variables, for the
    rollout of its prompt. `plan` is set before a run starts."""

    target: DefinitionTarget
    variables: Mapping[str, Any] | None = None
    message: str = ""
    subject: str = ""
    plan: AgentPlan | None = None
    type: ClassVar[str] = "agent"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            **DefinitionTarget.fields(),
            "variables": described(OBJECT, "The variables of the run by default."),
            "message": described(text(MAX_TEMPLATE_CHARACTERS), "Template of the user's message."),
            "subject": described(
                text(MAX_SUBJECT_CHARACTERS), "Template of the subject, for rollouts."
            ),
        },
        required=("key",),
        description="Runs an agent and returns its answer.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        return cls(
            DefinitionTarget.parse(fields),
            fields.mapping("variables") if fields.has("variables") else None,
            fields.text("message", MAX_TEMPLATE_CHARACTERS),
            fields.text("subject", MAX_SUBJECT_CHARACTERS),
        )

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        return self.plan.models if self.plan else ()

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        used = self.plan.used_prompt if self.plan else None
        return (used,) if used else ()

    def templates(self) -> Iterable[Template]:
        yield from value_templates("variables", self.variables)
        yield Template("message", self.message)
        yield Template("subject", self.subject)

    def inputs(self, scope: Scope) -> Any:
        return [scope.input, dict(scope.variables), dict(scope.outputs)]

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        if self.plan is None:
            raise StepError(f"agent {self.target.key!r} was not looked up when the run started")
        variables = await asyncio.to_thread(passed_variables, self.variables, scope)
        message = await asyncio.to_thread(rendered, self.message, scope)
        plan = replace(self.plan, user_message=message or self.plan.user_message)
        return await context.sub_runs.run(plan, self.target.key, self.target.version, variables)


def passed_variables(variables: Mapping[str, Any] | None, scope: Scope) -> dict[str, Any]:
    """Return the variables of an inner run; raises `StepError`."""
    if variables is None:
        return {"input": scope.input, **scope.variables}
    return {"input": scope.input, **rendered_value(variables, scope)}
