"""What each type of step does to the text that comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops_flows.bounded_templates import (
    MAX_TEXT_CHARACTERS,
    TextTooLongError,
    render_bounded,
)
from promptops_flows.definitions import ModelChoice, ModelStep, RenderStep, Step, TransformStep
from promptops_flows.templates import TemplateValueError
from promptops_flows.wire import Connection
from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Credentials, ModelGateway, Target
from promptops_providers.own_credentials import with_own
from promptops_providers.protocol import CompletionRequest, SpentCall, Usage

# What all steps of one run may produce together: the trace keeps and answers every output.
MAX_RUN_CHARACTERS = 8 * MAX_TEXT_CHARACTERS


class StepError(Exception):
    """A step that failed; one sentence, which may still hold a secret of the run.

    `summary` is the sentence without what it quotes, of a vendor's words for instance; None where
    it quotes nothing. `failed_call` is the model's error that made it fail.
    """

    def __init__(
        self,
        sentence: str,
        summary: str | None = None,
        *,
        failed_call: ProviderError | None = None,
    ) -> None:
        super().__init__(sentence)
        self.summary = None if summary == sentence else summary
        self.failed_call = failed_call


@dataclass(frozen=True, slots=True)
class StepContext:
    """What all steps of a run share.

    `connections` are stored ones by the name of their provider. The caller's own `api_key` and
    `base_url` are for the provider that a step names first.
    """

    variables: Mapping[str, Any]
    gateway: ModelGateway = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    connections: Mapping[str, Connection] = field(default_factory=dict)

    def targets(self, choices: Iterable[ModelChoice]) -> list[Target]:
        """What a step tries, in this order."""
        first, *others = [self._target(choice) for choice in choices]
        return [with_own(first, self.api_key, self.base_url), *others]

    def _target(self, choice: ModelChoice) -> Target:
        known = self.connections.get(choice.provider)
        if known is None:
            return Target(choice.provider, choice.model, choice.provider)
        credentials = Credentials(known.api_key, known.base_url)
        return Target(
            choice.provider,
            choice.model or known.model,
            known.kind,
            credentials,
            known.first_token_seconds,
            known.answer_seconds,
        )


@dataclass(frozen=True, slots=True)
class StepOutput:
    text: str
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    notes: tuple[str, ...] = ()
    spent: tuple[SpentCall, ...] = ()


async def run_step(step: Step, incoming: str, context: StepContext) -> StepOutput:
    """The step's output for the incoming text; raises `StepError`."""
    if isinstance(step, ModelStep):
        return await _complete(step, incoming, context)
    if isinstance(step, RenderStep):
        # On a thread: a megabyte of template must not stall the runs beside this one.
        text = await asyncio.to_thread(_render, step.template, incoming, context.variables)
        return StepOutput(text)
    return StepOutput(_transform(step, incoming))


async def _complete(step: ModelStep, incoming: str, context: StepContext) -> StepOutput:
    try:
        completion = await context.gateway.complete(
            CompletionRequest.of_text(incoming), context.targets(step.choices)
        )
    except ProviderError as error:
        raise StepError(error.sentence, error.summary, failed_call=error) from error
    return StepOutput(
        completion.text,
        completion.provider,
        completion.model,
        completion.usage,
        completion.stop_reason,
        completion.notes,
        completion.spent,
    )


def _render(template: str, incoming: str, variables: Mapping[str, Any]) -> str:
    given = dict(variables)
    if given.get("input") is None:
        given["input"] = incoming
    return rendered(template, given)


def rendered(template: str, variables: Mapping[str, Any]) -> str:
    """The template with the variables; raises `StepError`."""
    try:
        return render_bounded(template, variables)
    except (TemplateValueError, TextTooLongError) as error:
        raise StepError(str(error)) from error


def _transform(step: TransformStep, incoming: str) -> str:
    if step.op == "upper":
        return incoming.upper()
    if step.op == "lower":
        return incoming.lower()
    return incoming.strip()
