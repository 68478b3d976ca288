"""Calls the gateway, and logs the question as a run. It doesn't use Prefect, because it is an
interactive call, not a job."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from promptops_flows.telemetry.tracing import name_prompt
from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.errors import BadRequest, PlatformError, ProviderFailed
from promptops_platform.execution.places import Places
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.ids import new_id
from promptops_platform.playground.questions import Question
from promptops_platform.playground.schemas import PlaygroundAnswer
from promptops_platform.runlog.call_log import CallLog
from promptops_platform.runlog.model_answer import ModelAnswer, TokenUsage
from promptops_platform.runlog.new_run import ModelCall, NewRun
from promptops_providers.answers.redaction import Redactor
from promptops_providers.errors import (
    AddressRefusedError,
    NotAvailableError,
    ProviderError,
    RequestTooLargeError,
)
from promptops_providers.gateway import ModelGateway
from promptops_providers.protocol import Completion, StreamEnd, StreamEvent

HUNG_UP = "the caller hung up before the answer was complete"
STOPPED = "the platform was stopped before the answer was complete"
FAULT = "the platform failed to read the answer; see its log"


class Asker:
    """Calls the model for a question. Each question is a run in the log once it has ended."""

    def __init__(
        self,
        *,
        gateway: ModelGateway,
        calls: CallLog,
        places: Places,
        clock: Clock,
        stop: StopSignal,
    ) -> None:
        self._stop = stop
        self._gateway = gateway
        self._places = places
        self._calls = calls
        self._clock = clock

    async def answer(self, question: Question, *, actor: Actor) -> PlaygroundAnswer:
        """Return the whole answer; raises ProviderFailed, BadRequest for what no provider was
        called with, and TooManyRequests."""
        name_prompt(question.prompt)
        leave_loop_share()
        async with self._places.taken(actor.caller_id, question.workspace_id):
            return await self._answer(_Run(question, actor, self._clock), question)

    async def _answer(self, run: "_Run", question: Question) -> PlaygroundAnswer:
        try:
            completion = await self._gateway.complete(question.request, question.targets)
        except ProviderError as error:
            failure = run.failed(error)
            await self._calls.add(run.opened, run.call(failure.sentence, error))
            raise failure from error
        except BaseException as error:
            await self._calls.add(run.opened, run.call(self._broken_off(error)))
            raise
        run.ended(completion)
        logged = await self._calls.add(run.opened, run.call(None))
        return run.answered(logged.cost_usd)

    async def events(
        self, question: Question, *, actor: Actor
    ) -> AsyncGenerator[ServerEvent, None]:
        """Yield the answer piece by piece: `delta` events, then `usage` and `result`, or `error`.

        Errors before the first event are raised, like those of `answer`.
        """
        name_prompt(question.prompt)
        leave_loop_share()
        async with (
            self._places.taken(actor.caller_id, question.workspace_id),
            aclosing(self._events(_Run(question, actor, self._clock), question)) as events,
        ):
            async for event in events:
                yield event

    async def _events(self, run: "_Run", question: Question) -> AsyncGenerator[ServerEvent, None]:
        begun = False
        failed: ProviderError | None = None
        failure: PlatformError | None = None
        try:
            stream = self._gateway.stream(question.request, question.targets)
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, StreamEnd):
                        run.ended(piece.completion)
                    text = run.took(piece)
                    if text:
                        begun = True
                        yield ServerEvent("delta", {"text": text})
        except ProviderError as error:
            failure, failed = run.failed(error), error
        except BaseException as error:
            await self._calls.add(run.opened, run.call(self._broken_off(error)))
            raise
        call = run.call(failure.sentence if failure else None, failed)
        logged = await self._calls.add(run.opened, call)
        if failure is not None:
            if not begun:
                raise failure
            yield ServerEvent("error", failure.body())
        else:
            answer = run.answered(logged.cost_usd)
            yield ServerEvent("usage", answer.usage.model_dump())
            yield ServerEvent("result", answer.model_dump(mode="json"))

    def _broken_off(self, error: BaseException) -> str:
        """Return the log's message for a run that ended without an error of a provider."""
        if isinstance(error, Exception):
            return FAULT
        return STOPPED if self._stop.is_set else HUNG_UP


class _Run:
    """One question while it is being answered."""

    def __init__(self, question: Question, actor: Actor, clock: Clock) -> None:
        first = question.targets[0]
        self._redact = Redactor([target.credentials.api_key for target in question.targets])
        self.opened = NewRun(
            id=new_id(),
            workspace_id=question.workspace_id,
            source="playground",
            ref_key=question.ref_key,
            user=actor.name,
            scope=question.scope,
            prompt=question.prompt,
            inputs=self._redact.within(dict(question.inputs)),
            provider=first.provider,
            model=first.model,
            started_at=clock.now(),
        )
        self.completion: Completion | None = None
        self.first_token_ms: int | None = None
        self._question = question
        self._clock = clock
        self._began = time.perf_counter()
        self._latency_ms = 0
        self._pieces: list[str] = []
        # The part of the answer that may be the beginning of an API key that the provider repeats.
        self._held = ""

    def took(self, piece: StreamEvent) -> str:
        """Return the text that can be sent after this piece: what may be the beginning of an API
        key waits for the next one."""
        if isinstance(piece, StreamEnd):
            shown, self._held = self._held, ""
            return shown
        if self.first_token_ms is None:
            self.first_token_ms = self._milliseconds()
        shown, self._held = self._redact.split(self._held + piece.text)
        self._pieces.append(shown)
        return shown

    def ended(self, completion: Completion) -> None:
        """The answer is complete."""
        text, model = self._redact(completion.text), self._redact(completion.model)
        self.completion = replace(completion, text=text, model=model)
        self._latency_ms = self._milliseconds()

    def failed(self, error: ProviderError) -> PlatformError:
        """Return the error for the caller; vendors repeat what they were sent, such as a wrong
        key."""
        sentence = self._redact(error.sentence)
        fields = {"rendered": self._question.rendered}
        if isinstance(error, AddressRefusedError | NotAvailableError | RequestTooLargeError):
            return BadRequest(sentence, fields=fields)
        return ProviderFailed(
            sentence,
            reason=error.code,
            retry_after=error.retry_after,
            fields=fields | {"run_id": self.opened.id},
        )

    def call(self, error: str | None, failed: ProviderError | None = None) -> ModelCall:
        """Return what the run log stores; for an answer that broke off, the part that was received
        and the usage that the vendor reported."""
        done = self.completion
        provider, model = self.opened.provider, self.opened.model
        usage = failed.usage if failed else None
        spent = failed.spent if failed else ()
        notes = failed.notes if failed else ()
        if done is not None:
            provider, model, usage = done.provider, done.model, done.usage
            spent, notes = done.spent, done.notes
        elif failed is not None and usage is not None:
            provider, model = failed.provider, failed.model
        kinds = {target.provider: target.kind for target in self._question.targets}
        return ModelCall(
            provider=provider,
            provider_kind=kinds.get(provider),
            model=model,
            usage=usage,
            stop_reason=done.stop_reason if done else None,
            input=self._redact(self._question.rendered),
            output=done.text if done else "".join(self._pieces) or None,
            error=error,
            summary=self._redact(failed.summary) if failed else None,
            first_token_ms=self.first_token_ms,
            # It is written a moment later.
            ended_at=self._clock.now(),
            notes=(*self._question.chat.notes, *notes),
            spent=spent,
        )

    def answered(self, cost_usd: float | None) -> PlaygroundAnswer:
        """Return the response once the answer is complete: the contract's fields and our additional
        ones."""
        completion = self.completion
        assert completion is not None
        return PlaygroundAnswer(
            rendered=self._question.rendered,
            result=ModelAnswer(
                provider=completion.provider, model=completion.model, output=completion.text
            ),
            messages=self._question.messages,
            usage=TokenUsage.of([completion.usage, *(call.usage for call in completion.spent)]),
            stop_reason=completion.stop_reason,
            latency_ms=self._latency_ms,
            run_id=self.opened.id,
            cost_usd=cost_usd,
            notes=[*self._question.chat.notes, *completion.notes],
        )

    def _milliseconds(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)
