"""A requested run, ready to be executed and logged."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from promptops_flows.protocol.engine_client import RunRequest
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_flows.telemetry.tracing import current_traceparent, name_prompt
from promptops_platform.runlog.new_run import NewRun, RunOrigin
from promptops_providers.answers.redaction import Redactor
from promptops_providers.protocol import PromptVersion


@dataclass(frozen=True, slots=True)
class RunOrder:
    """The log contains `user`, `scope`, `prompt`, `origin` and `inputs`, by default the variables
    and the definition's version. `causes` and `caused_by` are as in `NewRun`."""

    request: RunRequest
    workspace_id: str
    caller_id: str
    user: str = ""
    scope: str | None = None
    inputs: dict[str, Any] | None = field(default=None, repr=False)
    prompt: PromptVersion | None = None
    causes: tuple[str, ...] = ()
    caused_by: str = ""
    origin: RunOrigin | None = None

    def traced(self, texts: TextPolicy) -> RunRequest:
        """Return the request for the engine, as part of the caller's trace."""
        name_prompt(self.prompt)
        traceparent = current_traceparent()
        return replace(self.request, traceparent=traceparent, texts=texts, prompt=self.prompt)

    def new_run(self, *, is_detached: bool = False, retry_of: str | None = None) -> NewRun:
        """Return the first entry of the run in the log."""
        request = self.request
        inputs = self.inputs or {"variables": request.variables, "version": request.version}
        return NewRun(
            id=request.run_id,
            workspace_id=self.workspace_id,
            source=request.source,
            ref_key=request.key,
            user=self.user,
            scope=self.scope,
            prompt=self.prompt,
            version=request.version,
            state="queued",
            is_detached=is_detached,
            retry_of=retry_of,
            causes=self.causes,
            caused_by=self.caused_by,
            origin=self.origin,
            pool=request.pool,
            inputs=Redactor(request.secrets).within(inputs),
        )


OrderChange = Callable[[RunOrder], RunOrder]
