"""What a run is: all that executes it needs to know."""

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
    """A step that has been completed, whole: another run of the same plan takes its output instead
    of executing it.

    `index` counts from 1; a checkpoint counts for the step of that place, name and type alone. Of
    an agent's model step, `completion` is the answer with its tool calls. A `failed` output is the
    error of a step in spite of which the run has gone on: of an agent's tool, which the model has
    been told, or of a step with `continue_on_error`; a note says it without what it quotes.
    """

    index: int
    name: str
    type: str
    output: StepOutput = field(repr=False)
    completion: Completion | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to prepare, of a plan that the platform has checked. `variables` are as sent.

    `api_key` stays in memory: it is no part of the repr, of logs, or of what Prefect stores. It and
    `base_url` are the caller's own, for the provider that a step names first; `connections` are
    those that the workspace has stored.
    `source` says what asked for the run; `version` is the definition's. `traceparent` is the
    caller's span (W3C Trace Context), under which the run is traced.

    `texts` says what may be stored of the run, by whomever; `prompt` is the one of the registry
    that it uses.

    With `stream` the text of the models is sent as it comes.

    In a `durable` run nothing that depends on a step begins before its checkpoint is stored; the
    engine cancels it when the connection breaks, since somebody else takes it over. `checkpoints`
    are those of an earlier attempt: their steps are not executed again. `flow_run_id` is a flow run
    that exists in Prefect and is executed once more; without it a new one is created, and so it is
    where Prefect does not have a `suspended` one any more. `page_url` is where the console shows
    the run; `receiver` is where its deliveries go. `pool` is the work pool whose workers execute
    the run; without one it is the platform's own engine.
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
        """What nobody may read anywhere."""
        keys = (self.api_key, *(connection.api_key for connection in self.connections))
        signing = self.receiver.secrets if self.receiver else ()
        return (*(key for key in keys if key), *signing)
