"""Requests and responses of workflows."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from promptops_flows.protocol.engine_client import StepFinished
from promptops_flows.steps.fields import DefinitionError
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_platform.definitions.schemas import (
    EXAMPLE_SERVED,
    IfRevision,
    RunEnvironment,
    RunVersion,
    RunWait,
    SentTags,
    ServedFields,
    TagList,
)
from promptops_platform.execution.followers import RunOutcome
from promptops_platform.execution.pool_names import DEFINITION_POOL, DefinitionPool
from promptops_platform.field_types import (
    Json,
    JsonObject,
    Key,
    Line,
    OptionalLine,
    Prose,
    Title,
    title,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.runlog.trace import EXAMPLE_TRACE, StepTrace
from promptops_platform.workflows.step_schemas import DescribedSteps

Steps = Annotated[list[dict[str, Any]], DescribedSteps(nullable=False)]

EXAMPLE_STEP = {**EXAMPLE_TRACE, "cost_usd": 0.0}
EXAMPLE_STEPS = [
    {"name": "greet", "type": "render", "template": "Write a welcome for {{who}}."},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "shout", "type": "transform", "op": "upper"},
]


def _with_names(steps: Any) -> Any:
    """Return the steps with their names normalized like `Title`; other errors are reported
    later."""
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


class WorkflowUpdate(BaseModel):
    """The fields that an edit may change; a field that is absent or null keeps its value."""

    model_config = {**example(name="Welcome", steps=EXAMPLE_STEPS), "extra": "allow"}

    name: Title | None = None
    description: Prose | None = None
    tags: SentTags = None
    steps: Annotated[Json, AfterValidator(_with_names), DescribedSteps(nullable=True)] = Field(
        default=None, description="Steps in their order, each with name and type."
    )
    input_schema: JsonObject | None = Field(
        default=None, description="JSON Schema of the variables of a run; `{}` accepts any."
    )
    defaults: JsonObject | None = Field(
        default=None, description="Values of variables that the caller does not send."
    )
    timeout: Annotated[Line, StringConstraints(max_length=40)] | Literal[""] | None = Field(
        default=None, description="Time limit of a run, such as `90s`, `2m`, `1h`; at most a day."
    )
    output: Annotated[str, StringConstraints(max_length=MAX_TEMPLATE_CHARACTERS)] | None = Field(
        default=None,
        description="The step whose output is the result, or a template over steps. Without it, "
        "the last step.",
    )
    strict: bool | None = Field(
        default=None,
        description="Whether to refuse runs with a template that uses a variable without a value.",
    )
    pool: DefinitionPool | None = DEFINITION_POOL


class WorkflowEdit(WorkflowUpdate):
    """An edit. With `if_version` or `if_revision` it is refused if somebody else has changed the
    resource since."""

    if_version: int | None = Field(
        default=None,
        description="The `version` that you have read; a 409 if it has changed since.",
    )
    if_revision: IfRevision = None


class CheckWorkflow(BaseModel):
    """A definition that is not saved yet, with the fields of a workflow. Fields that are absent
    or null have their default value."""

    model_config = {
        **example(steps=[{"name": "call", "type": "model", "provider": "nobody"}]),
        "extra": "allow",
    }

    steps: Json = Field(default=None, description="A list of steps.")
    input_schema: Json = None
    defaults: Json = None
    timeout: Json = None
    output: Json = None
    strict: Json = None
    pool: Json = None


class WorkflowProblem(BaseModel):
    """Why a definition can't run; `step` counts from 0."""

    model_config = example(
        step=0,
        field="provider",
        error="step 1 (call): provider 'nobody' is unknown, use one of mock, openai",
    )

    step: int | None = Field(description="Null if the list itself is invalid.")
    field: str | None = Field(description="Null if the step itself is invalid.")
    error: str

    @classmethod
    def of(cls, problem: DefinitionError) -> Self:
        return cls(step=problem.step, field=problem.field, error=str(problem))


class WorkflowValidation(BaseModel):
    """The result of a check: at most one problem per step. Without problems, the definition can
    run."""

    data: list[WorkflowProblem]
    warnings: list[str] = Field(
        description="What has no effect, or leaves a placeholder unfilled.",
        examples=[["step 1 (greet): field 'modell' is unknown and has no effect"]],
    )


class WorkflowCreate(WorkflowUpdate):
    """A new workflow. `workspace` and `workspace_id` accept an id or a slug."""

    model_config = example(key="welcome", name="Welcome", steps=EXAMPLE_STEPS)

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class WorkflowFields(Resource):
    """The fields of a workflow."""

    id: str
    workspace_id: str
    key: str
    name: str
    description: str
    steps: Steps
    created_at: datetime
    updated_at: datetime
    input_schema: dict[str, Any]
    defaults: dict[str, Any]
    timeout: str
    output: str
    strict: bool
    pool: str
    tags: TagList


class Workflow(ServedFields, WorkflowFields):
    """A workflow. `version` counts the saved changes of its definition."""

    model_config = example(
        id="3b4e5f60717a1d2c",
        workspace_id="default",
        key="welcome",
        name="Welcome",
        description="",
        steps=EXAMPLE_STEPS,
        input_schema={},
        defaults={},
        timeout="",
        output="",
        strict=False,
        pool="",
        tags="mail,nightly",
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        version=4,
        **EXAMPLE_SERVED,
    )


class SavedWorkflow(BaseModel):
    """A saved workflow, with warnings about what has no effect or may go wrong."""

    data: Workflow
    warnings: list[str] = Field(
        examples=[["step 1 (greet): field 'modell' is unknown and has no effect"]]
    )


class RunWorkflow(BaseModel):
    """Values for the templates. The key is passed to the provider and not stored."""

    model_config = {**example(variables={"who": "Ada"}), "extra": "allow"}

    variables: Json = Field(default=None, json_schema_extra={"type": ["object", "null"]})
    api_key: OptionalLine = None
    base_url: OptionalLine = None
    version: RunVersion = None
    env: RunEnvironment = None
    wait: RunWait = None
    stream: bool | None = Field(
        default=None,
        description="Whether to send server-sent events; by default `Accept` decides.",
    )


class WorkflowStep(StepTrace):
    """A finished step of a workflow. Those of agents and workflows inside of it come before, and
    are called after it."""

    model_config = example(**EXAMPLE_STEP)

    cost_usd: float | None = Field(description="Null if the price of a call is unknown.")


class WorkflowResult(BaseModel):
    """The result of a run with its steps and its flow run in Prefect."""

    model_config = example(
        output="HELLO ADA!",
        steps=[EXAMPLE_STEP],
        run_id="5e4f30219b8a7c6d",
        flow_run_id="0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
        flow_run_url="http://127.0.0.1:4200/runs/flow-run/0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
        warnings=[],
    )

    output: str
    steps: list[WorkflowStep]
    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    warnings: list[str] = Field(description="What has no effect in the request or the definition.")

    @classmethod
    def of(
        cls,
        outcome: RunOutcome,
        cost_of: Callable[[StepFinished], float | None],
        warnings: Sequence[str],
    ) -> Self:
        return cls(
            output=outcome.end.output or "",
            steps=[WorkflowStep.of(step, cost_usd=cost_of(step)) for step in outcome.steps],
            warnings=list(warnings),
            run_id=outcome.run_id,
            flow_run_id=outcome.flow_run_id,
            flow_run_url=outcome.flow_run_url,
        )
