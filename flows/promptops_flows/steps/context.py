"""What a step gets, and what it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from promptops_flows.steps.http_tools import ToolClient
from promptops_flows.steps.models import Connection, ModelChoice, Receiver
from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS
from promptops_flows.templates.references import Scope
from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Credentials, ModelGateway, Target
from promptops_providers.own_credentials import with_own
from promptops_providers.protocol import SpentCall, Usage

# The limit for all outputs of one run together: they are kept in its trace and returned.
MAX_RUN_CHARACTERS = 8 * MAX_TEXT_CHARACTERS


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """The counts of a map. A failed item may have a default output."""

    total: int
    completed: int
    failed: int


class SubRuns(Protocol):
    """Runs agents and workflows inside a run."""

    async def run(
        self, plan: Any, key: str, version: str, variables: Mapping[str, Any]
    ) -> StepOutput:
        """Run the plan of an agent or a workflow to its end; raises `StepError`."""

    def muted(self) -> SubRuns:
        """The same, but its steps aren't reported."""


class Evaluates(Protocol):
    async def evaluate(self, kind: str, expression: str, scope: Scope) -> Any:
        """Return the expression's value; raises `StepError`."""


class StepError(Exception):
    """A failed step; the message is one sentence, which may still contain a secret of the run.

    `summary` is the message without quoted text, such as a vendor's error; None if it quotes
    nothing. `failed_call` is the model error that caused the failure. A `retryable` step may
    succeed if it is retried, after `retry_after` seconds if the server asked for a delay.
    """

    def __init__(
        self,
        sentence: str,
        summary: str | None = None,
        *,
        failed_call: ProviderError | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        items: ItemCounts | None = None,
    ) -> None:
        super().__init__(sentence)
        self.retryable = retryable
        self.retry_after = retry_after
        self.items = items
        self.summary = None if summary == sentence else summary
        self.failed_call = failed_call

    @classmethod
    def of(cls, error: ProviderError) -> Self:
        """The error of a failed model call."""
        return cls(
            error.sentence,
            error.summary,
            failed_call=error,
            retryable=error.retryable,
            retry_after=error.retry_after,
        )


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """`connections` are the workspace's, by the name of their provider. The caller's own `api_key`
    and `base_url` apply to the first provider that a step names."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    connections: Mapping[str, Connection] = field(default_factory=dict)

    def kind_of(self, provider: str) -> str:
        """The adapter of that provider."""
        connection = self.connections.get(provider)
        return connection.kind if connection else provider

    def targets(self, choices: Iterable[ModelChoice]) -> list[Target]:
        """The targets that a step tries, in order."""
        first, *others = [self._target(choice) for choice in choices]
        return [with_own(first, self.api_key, self.base_url), *others]

    def _target(self, choice: ModelChoice) -> Target:
        connection = self.connections.get(choice.provider)
        if connection is None:
            return Target(choice.provider, choice.model, choice.provider)
        credentials = Credentials(connection.api_key, connection.base_url)
        return Target(
            choice.provider,
            choice.model or connection.model,
            connection.kind,
            credentials,
            connection.first_token_seconds,
            connection.answer_seconds,
            connection.compatibility,
        )


@dataclass(frozen=True, slots=True)
class StepContext:
    """What one step needs. `memory` is kept between its attempts; `receiver` is the target of a
    delivery."""

    access: ModelAccess
    gateway: ModelGateway = field(repr=False)
    http: ToolClient = field(repr=False)
    expressions: Evaluates = field(repr=False)
    sub_runs: SubRuns = field(repr=False)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    receiver: Receiver | None = field(default=None, repr=False)

    def for_items(self) -> StepContext:
        """The context for the many actions of one step."""
        return replace(self, sub_runs=self.sub_runs.muted())


@dataclass(frozen=True, slots=True)
class StepOutput:
    """`value` is the JSON of a structured output, and `text` its text. A `cached` output was
    created by an earlier run. `side` is the side that a branch took, or the decision of an
    approval; a `failed` output is the default of a map's item."""

    text: str
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    notes: tuple[str, ...] = ()
    spent: tuple[SpentCall, ...] = ()
    value: Any = None
    cached: bool = False
    side: str = ""
    items: ItemCounts | None = None
    failed: bool = False

    @property
    def readable(self) -> Any:
        """The value that templates read."""
        return self.text if self.value is None else self.value
