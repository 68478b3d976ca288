"""What is recorded of a run when it starts, and of a run that is a single model call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from promptops_providers.protocol import PromptVersion, SpentCall, Usage


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """The schedule or trigger that has started a run: `kind` is `schedule` or `trigger`, `key` its
    name."""

    kind: str
    id: str
    key: str


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to start, or that started at `started_at`.

    `user` is the name of who started it; `inputs` is JSON, such as variables and prompt reference.
    `provider` and `model` are the requested ones, if they are known. A run that is not a flow has
    no `flow_run_id`. `scope` is one of `access.scopes`. `prompt` is the registry prompt that it
    uses, `version` the definition's. A `queued` run waits for its turn, see `RunLog.begin`; a run
    `is_detached` if no caller waits for it, and `retry_of` is the run that it retries. `pool` is
    the work pool whose workers execute it. `causes` are the triggers that led to it, the first
    cause first; if another run led to it, `caused_by`, it inherits the causes of that run.
    """

    id: str
    workspace_id: str
    source: str
    ref_key: str
    flow_run_id: str | None = None
    flow_run_url: str | None = None
    user: str = ""
    inputs: dict[str, Any] | None = None
    provider: str = ""
    model: str = ""
    started_at: datetime | None = None
    scope: str | None = None
    prompt: PromptVersion | None = None
    version: str | None = None
    state: Literal["queued", "running"] = "running"
    is_detached: bool = False
    retry_of: str | None = None
    causes: tuple[str, ...] = ()
    caused_by: str = ""
    origin: RunOrigin | None = None
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The only model call of a run that is not a flow, and how it ended, by default just now: with
    an `error` it failed; `summary` is the error without quoted text.

    `provider_kind` is the kind of provider if that is a connection. `first_token_ms` is measured
    from the start of the run, for a streamed response.
    """

    provider: str
    model: str
    provider_kind: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    summary: str | None = None
    first_token_ms: int | None = None
    ended_at: datetime | None = None
    notes: tuple[str, ...] = ()
    spent: tuple[SpentCall, ...] = ()
