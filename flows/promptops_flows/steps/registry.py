"""All kinds of steps. To add a kind, add a file to this folder and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from promptops_flows.steps.agent import RunAgent
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.branch import Branch
from promptops_flows.steps.deliver import Deliver
from promptops_flows.steps.field_schemas import MAPPED_STEP, NAMES, Schema, text
from promptops_flows.steps.fields import MAX_NAME_CHARACTERS, DefinitionError, Fields, described
from promptops_flows.steps.http import CallHttp
from promptops_flows.steps.map import NOT_MAPPED, MapItems
from promptops_flows.steps.model import CallModel
from promptops_flows.steps.policy import StepPolicy
from promptops_flows.steps.render import Render
from promptops_flows.steps.step import Action, ParseContext, Step
from promptops_flows.steps.transform import Transform
from promptops_flows.steps.workflow import RunWorkflow

ACTIONS: Mapping[str, type[Action]] = {
    action.type: action
    for action in (
        Render,
        CallModel,
        Transform,
        CallHttp,
        RunAgent,
        RunWorkflow,
        MapItems,
        Branch,
        Approval,
        Deliver,
    )
}
# Kinds that definitions can't use: the platform's own runs consist of them.
INTERNAL_TYPES = (Deliver.type,)
STEP_TYPES = tuple(name for name in ACTIONS if name not in INTERNAL_TYPES)
MAPPED_TYPES = tuple(name for name in STEP_TYPES if name not in NOT_MAPPED)


@dataclass(frozen=True, slots=True)
class ParsedStep:
    """A step before its references are resolved. `needs` is None if the step doesn't have the
    field; `unknown` are sentences about fields without effect."""

    step: Step
    needs: tuple[str, ...] | None
    unknown: tuple[str, ...]


def parse_step(item: object, index: int, providers: tuple[str, ...]) -> ParsedStep:
    """Parse a step from decoded JSON; its position counts from 1; raises `DefinitionError`."""
    if not isinstance(item, dict):
        raise DefinitionError(
            f"step {index} is {described(item)}, give an object with name and type", step=index - 1
        )
    fields = Fields.of_step(cast("Mapping[str, object]", item), index)
    action = parse_action(fields, ParseContext(providers, parse_action))
    needs = fields.names("needs")
    step = Step(fields.name, action, policy=StepPolicy.parse(fields))
    return ParsedStep(step, needs, tuple(fields.unknown()))


def parse_action(fields: Fields, context: ParseContext) -> Action:
    """Parse the step's action; raises `DefinitionError`."""
    return ACTIONS[fields.choice("type", STEP_TYPES)].parse(fields, context)


def step_schema(kind: str, mapped_step: Schema) -> Schema:
    """JSON Schema of a step of this kind; `mapped_step` is the schema for the step of a map."""
    schema = ACTIONS[kind].schema
    policy = StepPolicy.fields()
    for name in schema.without_effect:
        del policy[name]
    fields: Mapping[str, Schema] = {
        "name": text(MAX_NAME_CHARACTERS),
        "type": {"const": kind},
        "needs": NAMES,
        **policy,
        **schema.fields,
    }
    return {
        "type": "object",
        "description": schema.description,
        "required": ["type", *schema.required],
        "properties": {
            name: mapped_step if field is MAPPED_STEP else field for name, field in fields.items()
        },
        "additionalProperties": True,
        **({"allOf": list(schema.rules)} if schema.rules else {}),
    }
