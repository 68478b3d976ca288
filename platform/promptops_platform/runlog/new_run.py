"""What is recorded of a run when it starts, and of one that is a single model call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from promptops_providers.protocol import PromptVersion, SpentCall, Usage


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """What has started a run by itself: `kind` is `schedule` or `trigger`, `key` its name."""

    kind: str
    id: str
    key: str


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to start, or did so at `started_at`.

    `user` is the name of who asked for it; `inputs` is JSON: variables, prompt reference and the
    like. `provider` and `model` are those asked for, as far as that is known. A run that is no
    flow has no `flow_run_id`. `scope` is one of `access.scopes`. `prompt` is the prompt of the
    registry that it uses, `version` the definition's. A `queued` run waits for its turn, of which
    `RunLog.begin` tells; `is_detached` where nobody waits for the run, `retry_of` is the run that
    it goes on with. `pool` is the work pool whose workers execute it. `causes` are the triggers
    that led to it, the first cause first; where another run led to it, `caused_by`, it has the
    causes of that one.
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
    """The one model call of a run that is no flow, and how it ended, by default just now: with an
    `error` it failed, `summary` is it without what it quotes.

    `provider_kind` is what the provider is where that is a connection. `first_token_ms` is from
    the start of the run, for an answer that was streamed.
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
