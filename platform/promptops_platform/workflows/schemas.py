"""Workflows on the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from promptops_flows.engine_client import StepFinished
from promptops_platform.http.envelope import Resource
from promptops_platform.runs.executor import RunOutcome
from promptops_platform.text import Content, Json, Key, Line, OptionalLine

Steps = list[dict[str, Any]]


class WorkflowUpdate(BaseModel):
    """What an edit may change; a field that is absent or null stays as it is."""

    name: Line | None = None
    description: Content | None = None
    steps: Json = Field(default=None, description="Steps in their order, each with name and type.")


class WorkflowCreate(WorkflowUpdate):
    """A new workflow. `workspace` takes an id or a slug, and so does `workspace_id`."""

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class Workflow(Resource):
    """A definition; `version` counts how often its steps were saved with a change."""

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

    variables: Json = None
    api_key: OptionalLine = None
    base_url: OptionalLine = None


class StepTrace(BaseModel):
    """A finished step; `duration` is in seconds, `attempts` counts from 1."""

    name: str
    type: str
    output: str | None
    state: str = Field(description="Name of the task run's state in Prefect.")
    start: datetime
    duration: float
    attempts: int

    @classmethod
    def of(cls, step: StepFinished) -> Self:
        return cls(
            name=step.name,
            type=step.type,
            output=step.output,
            state=step.state,
            start=datetime.fromisoformat(step.started_at),
            duration=step.duration_ms / 1000,
            attempts=step.attempts,
        )


class WorkflowResult(BaseModel):
    """What a run brought, with its trace and its place in Prefect."""

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
