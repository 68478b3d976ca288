"""`branch`: evaluates a condition that decides which steps run. The incoming text is passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from promptops_flows.steps.context import StepContext, StepOutput
from promptops_flows.steps.field_schemas import NAMES, KindSchema, described, needed_text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.step import Action, ParseContext
from promptops_flows.templates.expressions import ExpressionError, check_condition
from promptops_flows.templates.references import Scope

MAX_CONDITION_CHARACTERS = 10_000
THEN, ELSE = "then", "else"


@dataclass(frozen=True, slots=True)
class Branch(Action):
    """`when` is a Jinja expression. `then` and `otherwise` are names of steps."""

    when: str
    then: tuple[str, ...]
    otherwise: tuple[str, ...]
    type: ClassVar[str] = "branch"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "when": described(
                needed_text(MAX_CONDITION_CHARACTERS), "The condition, a Jinja expression."
            ),
            THEN: described(NAMES, "The steps that run if `when` is true."),
            ELSE: described(NAMES, "The steps that run otherwise."),
        },
        required=("when",),
        description="Evaluates a condition that decides which steps run.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        when = fields.text("when", MAX_CONDITION_CHARACTERS)
        if not when.strip():
            raise fields.error("when", "is missing, give a condition such as input == 'yes'")
        try:
            check_condition(when)
        except ExpressionError as error:
            raise fields.error("when", str(error)) from error
        then, otherwise = fields.names(THEN) or (), fields.names(ELSE) or ()
        if not then and not otherwise:
            raise fields.error(THEN, "is missing, name the steps that run where `when` is true")
        return cls(when, then, otherwise)

    def sides(self) -> Mapping[str, tuple[str, ...]]:
        return {THEN: self.then, ELSE: self.otherwise}

    def inputs(self, scope: Scope) -> Any:
        return [scope.input, dict(scope.variables), dict(scope.outputs)]

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        is_true = await context.expressions.evaluate("condition", self.when, scope)
        side = THEN if is_true else ELSE
        names = ", ".join(self.sides()[side]) or "nothing"
        note = f"took {side}: {names}"
        return StepOutput(scope.input, notes=(note,), value=scope.value, side=side)
