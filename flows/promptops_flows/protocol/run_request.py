"""A run request: everything that is needed to execute a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from promptops_flows.steps.context import StepOutput
from promptops_flows.steps.models import Connection, Receiver
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.telemetry.text_policy import EVERYTHING, TextPolicy
from promptops_providers.protocol import Completion, PromptVersion


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A completed step: another run of the same plan uses its output instead of executing the step.

    `index` counts from 1; a checkpoint applies only to the step with the same index, name and type.
    For an agent's model step, `completion` is the answer with its tool calls. A `failed` output is
    the error of a step after which the run continued: of an agent's tool, whose error was sent to
    the model, or of a step with `continue_on_error`; a note describes it without quoting.
    """

    index: int
    name: str
    type: str
    output: StepOutput = field(repr=False)
    completion: Completion | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to prepare, with a plan that the platform has checked. `variables` are unchanged.

    `api_key` stays in memory: it isn't part of the repr, of logs, or of what Prefect stores. It and
    `base_url` are the caller's own, for the first provider that a step names; `connections` are the
    workspace's. `source` says what requested the run; `version` is the definition's. `traceparent`
    is the caller's span (W3C Trace Context), the parent of the run's span.

    `texts` says what may be stored of the run, in any place; `prompt` is the registry prompt that
    it uses. With `stream` the models' text is sent while it arrives.

    In a `durable` run, steps begin only after the checkpoints of the steps that they depend on are
    stored; the engine cancels it if the connection breaks, since another engine continues it.
    `checkpoints` are those of an earlier attempt: their steps aren't executed again. `flow_run_id`
    is an existing flow run that is executed again; without it a new one is created, also if Prefect
    no longer has a `suspended` one. `page_url` is the run's page in the console; `receiver` is the
    target of its deliveries. `pool` is the work pool whose workers execute the run; without one the
    platform's own engine does.
    """

    run_id: str
    workspace: str
    key: str
    name: str
    version: str
    plan: WorkflowPlan | AgentPlan = field(repr=False)
    variables: dict[str, Any]
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    tags: tuple[str, ...] = ()
    source: str = "workflow"
    connections: tuple[Connection, ...] = ()
    traceparent: str | None = None
    stream: bool = False
    texts: TextPolicy = EVERYTHING
    prompt: PromptVersion | None = None
    durable: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    flow_run_id: str | None = None
    suspended: bool = False
    page_url: str | None = None
    receiver: Receiver | None = field(default=None, repr=False)
    pool: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""
        keys = (self.api_key, *(connection.api_key for connection in self.connections))
        signing = self.receiver.secrets if self.receiver else ()
        return (*(key for key in keys if key), *signing)
