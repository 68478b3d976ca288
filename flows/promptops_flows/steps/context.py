"""What a step works with, and what it brings."""

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

# What all steps of one run may produce together: the trace keeps and answers every output.
MAX_RUN_CHARACTERS = 8 * MAX_TEXT_CHARACTERS


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """Of a map. A failed item may have a default as its output."""

    total: int
    completed: int
    failed: int


class SubRuns(Protocol):
    """Runs agents and workflows inside of a run."""

    async def run(
        self, plan: Any, key: str, version: str, variables: Mapping[str, Any]
    ) -> StepOutput:
        """Run the plan of an agent or a workflow to its end; raises `StepError`."""

    def muted(self) -> SubRuns:
        """The same, whose steps are not reported one by one."""


class Evaluates(Protocol):
    async def evaluate(self, kind: str, expression: str, scope: Scope) -> Any:
        """The expression's value; raises `StepError`."""


class StepError(Exception):
    """A step that failed; one sentence, which may still hold a secret of the run.

    `summary` is the sentence without what it quotes, of a vendor's words for instance; None where
    it quotes nothing. `failed_call` is the model's error that made it fail. A `retryable` one may
    succeed when it is tried again, after `retry_after` seconds where the other end says so.
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
        """A call of a model that failed."""
        return cls(
            error.sentence,
            error.summary,
            failed_call=error,
            retryable=error.retryable,
            retry_after=error.retry_after,
        )


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """`connections` are stored ones by the name of their provider. The caller's own `api_key` and
    `base_url` are for the provider that a step names first."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    connections: Mapping[str, Connection] = field(default_factory=dict)

    def kind_of(self, provider: str) -> str:
        """The adapter of that provider."""
        connection = self.connections.get(provider)
        return connection.kind if connection else provider

    def targets(self, choices: Iterable[ModelChoice]) -> list[Target]:
        """What a step tries, in this order."""
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
    """What one step works with. `memory` is what it keeps from one attempt for the next; `receiver`
    is where a delivery goes."""

    access: ModelAccess
    gateway: ModelGateway = field(repr=False)
    http: ToolClient = field(repr=False)
    expressions: Evaluates = field(repr=False)
    sub_runs: SubRuns = field(repr=False)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    receiver: Receiver | None = field(default=None, repr=False)

    def for_items(self) -> StepContext:
        """For the many actions of one step."""
        return replace(self, sub_runs=self.sub_runs.muted())


@dataclass(frozen=True, slots=True)
class StepOutput:
    """`value` is the JSON of a structured output, whose text `text` is. A `cached` one was made by
    an earlier run. `side` is what a branch took, or the decision of an approval; a `failed` one is
    the default of an item of a map."""

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
        """What templates read."""
        return self.text if self.value is None else self.value
