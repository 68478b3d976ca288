"""Workflows on the wire."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field

from promptops_flows.definitions import (
    MAX_MODEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_TEMPLATE_CHARACTERS,
    STEP_TYPES,
    TRANSFORM_OPS,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.http.field_rules import Rule, exactly, given, only, when
from promptops_platform.runs.executor import RunOutcome
from promptops_platform.runs.trace import EXAMPLE_TRACE, StepTrace
from promptops_platform.text import Json, Key, OptionalLine, Prose, Title, title

Steps = list[dict[str, Any]]

EXAMPLE_STEPS = [
    {"name": "greet", "type": "render", "template": "Write a welcome for {{who}}."},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "shout", "type": "transform", "op": "upper"},
]


def _with_names(steps: Any) -> Any:
    """The steps with their names as `Title` has them; whatever else is wrong is said later."""
    if not isinstance(steps, list):
        return steps
    return [_with_name(number, step) for number, step in enumerate(steps, 1)]


def _with_name(number: int, step: Any) -> Any:
    if not isinstance(step, dict) or not isinstance(step.get("name"), str):
        return step
    try:
        return {**step, "name": title(step["name"])}
    except ValueError as error:
        raise ValueError(f"the name of step {number} {error}") from error


def _text(longest: int) -> Rule:
    return {"type": ["string", "null"], "maxLength": longest}


# What a step of each type needs. Which providers there are depends on the workspace.
STEP: Rule = {
    "type": "object",
    "allOf": [
        given(type={"enum": list(STEP_TYPES)}),
        only(name=_text(MAX_NAME_CHARACTERS)),
        when(given(type=exactly("render")), only(template=_text(MAX_TEMPLATE_CHARACTERS))),
        when(given(type=exactly("transform")), given(op={"enum": list(TRANSFORM_OPS)})),
        when(given(type=exactly("model")), only(model=_text(MAX_MODEL_CHARACTERS))),
    ],
}


class WorkflowUpdate(BaseModel):
    """What an edit may change; a field that is absent or null stays as it is."""

    model_config = example(name="Welcome", steps=EXAMPLE_STEPS)

    name: Title | None = None
    description: Prose | None = None
    steps: Annotated[Json, AfterValidator(_with_names)] = Field(
        default=None,
        description="Steps in their order, each with name and type.",
        json_schema_extra={"type": ["array", "null"], "items": STEP},
    )


class WorkflowCreate(WorkflowUpdate):
    """A new workflow. `workspace` takes an id or a slug, and so does `workspace_id`."""

    model_config = example(key="welcome", name="Welcome", steps=EXAMPLE_STEPS)

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class Workflow(Resource):
    """A definition; `version` counts how often its steps were saved with a change."""

    model_config = example(
        id="3b4e5f60717a1d2c",
        workspace_id="default",
        key="welcome",
        name="Welcome",
        description="",
        steps=EXAMPLE_STEPS,
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        version=1,
    )

    id: str
    workspace_id: str
    key: str
    name: str
    description: str
    steps: Steps
    created_at: datetime
    updated_at: datetime
    version: int


class RunWorkflow(BaseModel):
    """Values for the templates. The key is handed to the provider, and stored nowhere."""

    model_config = example(variables={"who": "Ada"})

    variables: Json = Field(default=None, json_schema_extra={"type": ["object", "null"]})
    api_key: OptionalLine = None
    base_url: OptionalLine = None


class WorkflowResult(BaseModel):
    """What a run brought, with its trace and its place in Prefect."""

    model_config = example(
        output="HELLO ADA!",
        steps=[EXAMPLE_TRACE],
        run_id="5e4f30219b8a7c6d",
        flow_run_id="0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
        flow_run_url="http://127.0.0.1:4200/runs/flow-run/0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
    )

    output: str
    steps: list[StepTrace]
    run_id: str
    flow_run_id: str
    flow_run_url: str | None

    @classmethod
    def of(cls, outcome: RunOutcome) -> Self:
        return cls(
            output=outcome.end.output or "",
            steps=[StepTrace.of(step) for step in outcome.steps],
            run_id=outcome.run_id,
            flow_run_id=outcome.flow_run_id,
            flow_run_url=outcome.flow_run_url,
        )
