"""The gateway that calls vendors: one pooled client for as long as the process lives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from promptops_providers.adaptation.adapting import AdaptedCalls
from promptops_providers.answers.clean_answers import clean_completion
from promptops_providers.answers.storable_texts import StorablePieces
from promptops_providers.errors import EmptyAnswerError, ProviderError, ProviderTimeoutError
from promptops_providers.gateway import Target
from promptops_providers.observation import UNOBSERVED, CallObserver, observed
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Progress,
    SpentCall,
    StreamEnd,
    StreamEvent,
    TextDelta,
    Usage,
)
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Resolve, Timeouts, guarded_client


class Gateway:
    """Implements `ModelGateway`. It belongs to the event loop on which it is first used.

    A chain goes on to its next target after an empty answer, and after an error that another
    provider may not have: see `falls_back` in `errors.py`. It does not after `bad_request`,
    `refused`, `address_refused` and `provider_not_available`, which are about the request, nor once
    a piece of a stream was given. Each target gets the whole of the time-outs, also where it is
    asked once more because it refuses a part of the request: see `adapting.py`.
    """

    def __init__(
        self,
        policy: AddressPolicy | None = None,
        timeouts: Timeouts | None = None,
        *,
        resolve: Resolve | None = None,
        observer: CallObserver = UNOBSERVED,
    ) -> None:
        self.policy = policy or AddressPolicy()
        self._timeouts = timeouts or Timeouts()
        self._observer = observer
        self._client = guarded_client(self.policy, self._timeouts, resolve=resolve)
        self._calls = AdaptedCalls(self._client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def complete(self, request: CompletionRequest, targets: Sequence[Target]) -> Completion:
        earlier = _Earlier()
        for target in targets[:-1]:
            try:
                completion = await self._complete(request, target, earlier)
            except ProviderError as error:
                if not error.falls_back:
                    raise
                self._fell_back(target, error, error.usage, earlier)
            else:
                if completion.stop_reason != "empty":
                    return completion
                self._fell_back(target, _empty(target, completion), completion.usage, earlier)
        return await self._complete(request, targets[-1], earlier)

    async def stream(
        self, request: CompletionRequest, targets: Sequence[Target]
    ) -> AsyncGenerator[StreamEvent, None]:
        earlier = _Earlier()
        for target in targets[:-1]:
            begun = False
            try:
                async with aclosing(self._stream(request, target, earlier)) as events:
                    async for event in events:
                        empty = None if begun else _empty_end(event)
                        if empty is not None:
                            break
                        begun = True
                        yield event
                    else:
                        return
                self._fell_back(target, _empty(target, empty), empty.usage, earlier)
            except ProviderError as error:
                if begun or not error.falls_back:
                    raise
                self._fell_back(target, error, error.usage, earlier)
        async with aclosing(self._stream(request, targets[-1], earlier)) as events:
            async for event in events:
                yield event

    def _fell_back(
        self, target: Target, error: ProviderError, usage: Usage | None, earlier: _Earlier
    ) -> None:
        if usage is not None:
            earlier.spent.append(SpentCall(target.provider, target.kind, error.model, usage))
        earlier.notes.append(f"fell back: {error.summary}")
        self._observer.fell_back(target, error)

    async def _complete(
        self, request: CompletionRequest, target: Target, earlier: _Earlier
    ) -> Completion:
        asked = replace(request, model=target.model)
        with (
            _told_in_errors(asked, earlier),
            observed(self._observer, asked, target, streams=False) as call,
        ):
            waiting = _Waiting(target, self._timeouts, streams=False)
            async with waiting.limited():
                completion = _cleaned(await self._calls.complete(asked, target), target, earlier)
            call.answered(completion)
        return completion

    async def _stream(
        self, request: CompletionRequest, target: Target, earlier: _Earlier
    ) -> AsyncGenerator[StreamEvent, None]:
        asked = replace(request, model=target.model)
        with (
            _told_in_errors(asked, earlier),
            observed(self._observer, asked, target, streams=True) as call,
        ):
            waiting = _Waiting(target, self._timeouts, streams=True)
            pieces = StorablePieces()
            async with aclosing(self._calls.stream(asked, target)) as events:
                while True:
                    async with waiting.limited():
                        event = await anext(events, None)
                    if isinstance(event, Progress):
                        waiting.saw_progress()
                        continue
                    if isinstance(event, StreamEnd):
                        break
                    assert isinstance(event, TextDelta), "an adapter's stream ends with StreamEnd"
                    if not waiting.begun:
                        call.first_piece()
                    waiting.begun = True
                    if text := pieces.add(event.text):
                        yield TextDelta(text)
            completion = _cleaned(event.completion, target, earlier)
            # Before it is passed on: who reads it may leave with it.
            call.answered(completion)
        if rest := pieces.end():
            yield TextDelta(rest)
        yield StreamEnd(completion)


@dataclass(slots=True)
class _Earlier:
    """Of a chain: what its earlier targets cost, and why each failed."""

    spent: list[SpentCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def _told_in_errors(asked: CompletionRequest, earlier: _Earlier) -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        error.model, error.spent = asked.model, tuple(earlier.spent)
        error.notes = (*earlier.notes, *error.notes)
        raise


def _empty_end(event: StreamEvent) -> Completion | None:
    if isinstance(event, StreamEnd) and event.completion.stop_reason == "empty":
        return event.completion
    return None


def _empty(target: Target, completion: Completion) -> EmptyAnswerError:
    error = EmptyAnswerError(target.provider, f"provider {target.provider}: the answer is empty")
    error.model = completion.model
    return error


def _cleaned(completion: Completion, target: Target, earlier: _Earlier) -> Completion:
    has_content = completion.text.strip() or completion.tool_calls
    stop_reason = completion.stop_reason
    marked = replace(
        completion,
        provider=target.provider,
        stop_reason="empty" if stop_reason == "end" and not has_content else stop_reason,
        spent=tuple(earlier.spent),
        notes=(*earlier.notes, *completion.notes),
    )
    return clean_completion(marked, target.credentials.api_key)


class _Waiting:
    """How long a provider may still be waited for; the time of its reader does not count.

    Before the first piece of text, each sign of the model's work starts the wait for it anew.
    """

    def __init__(self, target: Target, timeouts: Timeouts, *, streams: bool) -> None:
        self.begun = not streams
        self._provider = target.provider
        self._first_token = target.first_token_seconds or timeouts.first_token
        self._whole = target.answer_seconds or timeouts.whole
        self._waited = self._waited_for_progress = 0.0

    def saw_progress(self) -> None:
        """The model is at work."""
        self._waited_for_progress = 0.0

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        whole, first_token = self._whole, self._first_token
        left, late = whole - self._waited, f"no whole answer within {whole:g} seconds"
        if not self.begun and first_token - self._waited_for_progress < left:
            left = first_token - self._waited_for_progress
            late = f"no first token within {first_token:g} seconds"
        began = time.monotonic()
        clock = asyncio.timeout(left)
        try:
            async with clock:
                yield
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise ProviderTimeoutError(
                self._provider, f"provider {self._provider}: {late}"
            ) from error
        finally:
            waited = time.monotonic() - began
            self._waited += waited
            self._waited_for_progress += waited
