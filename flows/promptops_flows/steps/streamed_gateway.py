"""A gateway that passes on the models' text while it arrives, with secrets redacted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from promptops_flows.steps.context import StepError
from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS
from promptops_providers.answers.redaction import Redactor
from promptops_providers.gateway import ModelGateway, Target
from promptops_providers.protocol import Completion, CompletionRequest, StreamEnd, StreamEvent

SendText = Callable[[str, int], None]


class StreamedGateway:
    """For one step. `send_text` is called with each piece of text, never an empty one, and the
    number of the step's call that it belongs to, counted from 1: a step calls the model again after
    an unusable answer."""

    def __init__(self, gateway: ModelGateway, redact: Redactor, send_text: SendText) -> None:
        self._gateway = gateway
        self._redact = redact
        self._send_text = send_text
        self._calls = 0

    async def complete(self, request: CompletionRequest, targets: Sequence[Target]) -> Completion:
        """The whole answer; raises `ProviderError`, or `StepError` if it exceeds the limit."""
        self._calls += 1
        characters, waiting = 0, ""
        async with aclosing(self._gateway.stream(request, targets)) as events:
            async for event in events:
                if isinstance(event, StreamEnd):
                    self._pass_on(waiting)
                    return event.completion
                characters += len(event.text)
                if characters > MAX_TEXT_CHARACTERS:
                    raise StepError(
                        f"the answer is longer than {MAX_TEXT_CHARACTERS:,} characters; ask for "
                        "less, or set max_tokens"
                    )
                shown, waiting = self._redact.split(waiting + event.text)
                self._pass_on(shown)
        raise StepError("the model's answer ended without its last event")

    def stream(
        self, request: CompletionRequest, targets: Sequence[Target]
    ) -> AsyncGenerator[StreamEvent, None]:
        """Like the gateway's own method."""
        return self._gateway.stream(request, targets)

    def _pass_on(self, text: str) -> None:
        if text:
            self._send_text(text, self._calls)
