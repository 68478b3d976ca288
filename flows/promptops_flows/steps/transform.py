"""`transform`: changes the incoming text without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import KindSchema, Schema, needed_text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.step import Action, ParseContext
from promptops_flows.steps.structured import UnfitAnswerError, parse_structured
from promptops_flows.templates.expressions import (
    MAX_EXPRESSION_CHARACTERS,
    MAX_PATTERN_CHARACTERS,
    ExpressionError,
    check_jinja,
    check_jmespath,
    check_regex,
)
from promptops_flows.templates.language import value_text
from promptops_flows.templates.references import Scope

TransformOp = Literal["upper", "lower", "trim", "json", "jmespath", "regex", "jinja"]
TRANSFORM_OPS: tuple[str, ...] = ("upper", "lower", "trim", "json", "jmespath", "regex", "jinja")
_CHECKS: Mapping[str, tuple[Callable[[str], None], int]] = {
    "jmespath": (check_jmespath, MAX_EXPRESSION_CHARACTERS),
    "regex": (check_regex, MAX_PATTERN_CHARACTERS),
    "jinja": (check_jinja, MAX_EXPRESSION_CHARACTERS),
}


def _expression_rule(op: str, limit: int) -> Schema:
    return {
        "if": {"required": ["op"], "properties": {"op": {"const": op}}},
        "then": {"required": ["expression"], "properties": {"expression": needed_text(limit)}},
    }


@dataclass(frozen=True, slots=True)
class Transform(Action):
    """`expression` is the expression of `jmespath`, `regex` and `jinja`."""

    op: TransformOp
    expression: str = ""
    type: ClassVar[str] = "transform"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "op": {"enum": list(TRANSFORM_OPS)},
            "expression": {"description": "The expression of `jmespath`, `regex` or `jinja`."},
        },
        required=("op",),
        rules=tuple(_expression_rule(op, limit) for op, (_, limit) in _CHECKS.items()),
        description="Changes the incoming text without a model.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        op = fields.choice("op", TRANSFORM_OPS)
        if op not in _CHECKS:
            return cls(cast("TransformOp", op))
        check, limit = _CHECKS[op]
        expression = fields.text("expression", limit)
        if not expression:
            raise fields.error("expression", f"is missing, {op} needs one")
        try:
            check(expression)
        except ExpressionError as error:
            raise fields.error("expression", str(error)) from error
        return cls(cast("TransformOp", op), expression)

    def inputs(self, scope: Scope) -> Any:
        if self.op != "jinja":
            return scope.input
        return [scope.input, dict(scope.variables), dict(scope.outputs)]

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        if self.op == "upper":
            return StepOutput(scope.input.upper())
        if self.op == "lower":
            return StepOutput(scope.input.lower())
        if self.op == "trim":
            return StepOutput(scope.input.strip())
        if self.op == "json":
            return structured_output(await parsed_json(scope))
        if self.op == "jmespath" and scope.value is None:
            scope = scope.with_value(await parsed_json(scope))
        return structured_output(
            await context.expressions.evaluate(self.op, self.expression, scope)
        )


def structured_output(value: Any) -> StepOutput:
    """Return the output for this JSON value; its text is the value itself if that is a text, or
    compact JSON."""
    if isinstance(value, str):
        return StepOutput(value)
    return StepOutput("null" if value is None else value_text(value), value=value)


async def parsed_json(scope: Scope) -> Any:
    """Parse the incoming text as JSON; raises `StepError`."""
    if scope.value is not None:
        return scope.value
    try:
        return await asyncio.to_thread(parse_structured, {}, scope.input)
    except UnfitAnswerError as error:
        raise StepError(f"the incoming text can't be read: {error}") from error
