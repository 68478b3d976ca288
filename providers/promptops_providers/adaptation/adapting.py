"""Calls that are changed to what their model and server take.

What is known to be refused is left out from the start. What a vendor's error names is changed and
asked once more, and remembered for as long as the process lives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import httpx

from promptops_providers.adaptation.model_profiles import (
    has_prefill,
    refused_parameters,
    refuses_prefill,
)
from promptops_providers.adaptation.notes import Notes
from promptops_providers.adaptation.remedies import NOTHING, Adjustment, remedy_for
from promptops_providers.adapters import adapter_for
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Target
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    Progress,
    Provider,
    StreamEnd,
    TextDelta,
)

MAX_REMEMBERED = 1_000

_Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a target is asked; `adjustment` is what was learned of it, the latest included. `notes`
    say what is otherwise than it was meant to be."""

    asked: CompletionRequest
    target: Target
    request: CompletionRequest
    adjustment: Adjustment
    notes: tuple[str, ...]

    def noted(self, completion: Completion) -> Completion:
        return replace(completion, notes=(*self.notes, *completion.notes))


class AdaptedCalls:
    """One call of one target, by its adapter. Raises `ProviderError` and nothing else."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._learned: OrderedDict[_Place, Adjustment] = OrderedDict()

    async def complete(self, asked: CompletionRequest, target: Target) -> Completion:
        plan = self._plan(asked, target)
        try:
            return plan.noted(await self._adapter(plan).complete(plan.request))
        except ProviderError as error:
            plan = self._second_plan(plan, error)
        try:
            completion = await self._adapter(plan).complete(plan.request)
        except ProviderError as error:
            self._learn_from(error, plan)
            raise
        self._learn(plan)
        return plan.noted(completion)

    async def stream(
        self, asked: CompletionRequest, target: Target
    ) -> AsyncGenerator[AdapterEvent, None]:
        plan, begun = self._plan(asked, target), False
        try:
            async with aclosing(self._events(plan)) as events:
                async for event in events:
                    begun = begun or not isinstance(event, Progress)
                    yield event
        except ProviderError as error:
            if begun:
                error.notes = plan.notes
                raise
            plan = self._second_plan(plan, error)
        else:
            return
        try:
            async with aclosing(self._events(plan)) as events:
                async for event in events:
                    if not isinstance(event, Progress):
                        self._learn(plan)
                    yield event
        except ProviderError as error:
            self._learn_from(error, plan)
            raise

    async def _events(self, plan: _Plan) -> AsyncGenerator[AdapterEvent, None]:
        has_text = False
        async with aclosing(self._adapter(plan).stream(plan.request)) as events:
            async for event in events:
                if not isinstance(event, StreamEnd):
                    has_text = has_text or isinstance(event, TextDelta)
                    yield event
                    continue
                if event.completion.text and not has_text:
                    # Some servers answer as a whole where a stream was asked for.
                    yield TextDelta(event.completion.text)
                yield StreamEnd(plan.noted(event.completion))

    def _adapter(self, plan: _Plan) -> Provider:
        compatibility = plan.target.compatibility.over(plan.adjustment.compatibility)
        return adapter_for(plan.target, self._client, compatibility)

    def _plan(self, asked: CompletionRequest, target: Target) -> _Plan:
        place = _place(asked, target)
        learned = self._learned.get(place, NOTHING)
        if learned is not NOTHING:
            self._learned.move_to_end(place)
        return _planned(asked, target, learned, NOTHING)

    def _second_plan(self, plan: _Plan, error: ProviderError) -> _Plan:
        """Raises the error where it names nothing that could be changed."""
        remedy = _remedy(plan, error)
        if remedy is None:
            error.notes = plan.notes
            raise error
        return _planned(plan.asked, plan.target, plan.adjustment.and_also(remedy), remedy)

    def _learn_from(self, error: ProviderError, plan: _Plan) -> None:
        """What was changed has helped if something else is refused now."""
        error.notes = plan.notes
        if _remedy(plan, error) is not None:
            self._learn(plan)

    def _learn(self, plan: _Plan) -> None:
        place = _place(plan.asked, plan.target)
        # Another call may have learned something else meanwhile.
        self._learned[place] = self._learned.get(place, NOTHING).and_also(plan.adjustment)
        self._learned.move_to_end(place)
        if len(self._learned) > MAX_REMEMBERED:
            self._learned.popitem(last=False)


def _place(asked: CompletionRequest, target: Target) -> _Place:
    """Where what was learned counts: at this address, for this model."""
    return _kind(target), target.credentials.base_url or "", asked.model


def _kind(target: Target) -> str:
    return target.kind or target.provider


def _remedy(plan: _Plan, error: ProviderError) -> Adjustment | None:
    """A change that was not made yet."""
    if error.rejection is None:
        return None
    remedy = remedy_for(error.rejection, plan.request, plan.target.compatibility)
    is_new = remedy is not None and plan.adjustment.and_also(remedy) != plan.adjustment
    return remedy if is_new else None


def _planned(
    asked: CompletionRequest, target: Target, adjustment: Adjustment, remedy: Adjustment
) -> _Plan:
    """`remedy` is the part of the adjustment that is tried for the first time."""
    kind = _kind(target)
    model = asked.model or DEFAULT_MODELS.get(kind, "")
    documented = refused_parameters(kind, model, asked, at_vendor=not target.credentials.base_url)
    left_out = documented | adjustment.left_out
    request = asked
    if left_out & asked.parameters.keys():
        kept = {name: value for name, value in asked.parameters.items() if name not in left_out}
        request = replace(request, parameters=kept)
    refuses = refuses_prefill(kind, model, asked)
    if refuses or (adjustment.without_prefill and has_prefill(asked)):
        request = replace(request, messages=asked.messages[:-1])
    notes = Notes(asked, model or "the model")
    notes.documented(documented, prefill=refuses)
    notes.remembered(adjustment, remedy, documented)
    notes.retried(remedy)
    return _Plan(asked, target, request, adjustment, tuple(notes.sentences))
