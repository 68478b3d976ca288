"""`model`: calls a model with messages, or with the incoming text, and returns its output."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

from promptops_flows.json_schemas import SchemaRefusedError, check_schema
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import (
    OBJECT,
    KindSchema,
    choice,
    described,
    needed_text,
    objects,
    text,
)
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_flows.steps.step import Action, ParseContext, Template, rendered
from promptops_flows.steps.structured import UnfitAnswerError, parse_structured, repair_request
from promptops_flows.templates.references import Scope
from promptops_providers.errors import ProviderError
from promptops_providers.protocol import Completion, CompletionRequest, Message, Role, SpentCall
from promptops_providers.provider_names import DEFAULT_PROVIDER

MAX_MODEL_CHARACTERS = 200
MAX_FALLBACKS = 5
MAX_MESSAGES = 200
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class CallModel(Action):
    """An empty `model` is the provider's default; `fallbacks` are tried in order if the provider
    fails. Without `messages` the incoming text is sent as the user's message."""

    provider: str
    model: str
    fallbacks: tuple[ModelChoice, ...] = ()
    system: str = ""
    messages: tuple[MessageTemplate, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] | None = None
    type: ClassVar[str] = "model"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "provider": described(
                text(MAX_MODEL_CHARACTERS), "A provider, such as a connection of the workspace."
            ),
            "model": described(
                text(MAX_MODEL_CHARACTERS), "The provider's default model by default."
            ),
            "fallbacks": objects(
                MAX_FALLBACKS,
                {
                    "provider": needed_text(MAX_MODEL_CHARACTERS),
                    "model": text(MAX_MODEL_CHARACTERS),
                },
                required=("provider",),
            ),
            "system": text(MAX_TEMPLATE_CHARACTERS),
            "messages": described(
                objects(
                    MAX_MESSAGES,
                    {"role": choice(*_ROLES), "content": text(MAX_TEMPLATE_CHARACTERS)},
                ),
                "The incoming text as a user message by default.",
            ),
            "params": described(OBJECT, "Parameters of the model."),
            "output_schema": described(OBJECT, "JSON Schema that the output must match."),
        },
        description="Calls a model with messages, or with the incoming text, and returns its "
        "output.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        providers = context.providers
        return cls(
            fields.choice("provider", providers, default=DEFAULT_PROVIDER),
            fields.text("model", MAX_MODEL_CHARACTERS),
            tuple(
                ModelChoice(
                    fallback.choice("provider", providers),
                    fallback.text("model", MAX_MODEL_CHARACTERS),
                )
                for fallback in fields.objects("fallbacks", MAX_FALLBACKS)
            ),
            fields.text("system", MAX_TEMPLATE_CHARACTERS),
            tuple(
                MessageTemplate(
                    message.choice("role", _ROLES, default="user"),
                    message.text("content", MAX_TEMPLATE_CHARACTERS),
                )
                for message in fields.objects("messages", MAX_MESSAGES)
            ),
            fields.mapping("params"),
            _schema(fields),
        )

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        return (ModelChoice(self.provider, self.model), *self.fallbacks)

    def templates(self) -> Iterable[Template]:
        yield Template("system", self.system)
        for message in self.messages:
            yield Template("messages", message.content)

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        request = CompletionRequest(
            # On a thread: a megabyte of template must not block the other runs.
            messages=await asyncio.to_thread(self._messages, scope),
            parameters=self.params,
            output_schema=self.output_schema,
        )
        answer = await self._ask(request, context)
        if self.output_schema is None:
            return _output(answer)
        return await self._matching_output(self.output_schema, request, answer, context)

    def _messages(self, scope: Scope) -> tuple[Message, ...]:
        system = rendered(self.system, scope)
        messages = [
            Message(cast("Role", message.role), rendered(message.content, scope))
            for message in self.messages
        ]
        before = [Message("system", system)] if system else []
        return (*before, *(messages or [Message("user", scope.input)]))

    async def _ask(self, request: CompletionRequest, context: StepContext) -> Completion:
        try:
            return await context.gateway.complete(request, context.access.targets(self.models))
        except ProviderError as error:
            raise StepError.of(error) from error

    async def _matching_output(
        self,
        schema: Mapping[str, Any],
        request: CompletionRequest,
        answer: Completion,
        context: StepContext,
    ) -> StepOutput:
        """Return an output that matches the schema; the model may be called once more to repair
        it."""
        turns = Turns()
        try:
            value = await turns.compare(parse_structured, schema, answer.text)
        except UnfitAnswerError as problem:
            first = answer
            correction = Message("user", repair_request(schema, str(problem)))
            messages = (*request.messages, first.as_message(), correction)
            answer = await self._ask(replace(request, messages=messages), context)
            answer = replace(answer, spent=(*answer.spent, *_spent(first, context)))
            try:
                value = await turns.compare(parse_structured, schema, answer.text)
            except UnfitAnswerError as error:
                summary = "the answer does not match output_schema, even after one repair"
                raise StepError(f"{summary}: {error}", summary, retryable=True) from error
        return replace(_output(answer), value=value)


def _output(answer: Completion) -> StepOutput:
    return StepOutput(
        answer.text,
        answer.provider,
        answer.model,
        answer.usage,
        answer.stop_reason,
        answer.notes,
        answer.spent,
    )


def _spent(answer: Completion, context: StepContext) -> tuple[SpentCall, ...]:
    """Return the calls behind an answer that could not be used."""
    kind = context.access.kind_of(answer.provider)
    last = SpentCall(answer.provider, kind, answer.model, answer.usage)
    return (*answer.spent, last)


def _schema(fields: Fields) -> dict[str, Any] | None:
    if not fields.has("output_schema"):
        return None
    schema = fields.mapping("output_schema")
    try:
        check_schema(schema)
    except SchemaRefusedError as error:
        raise fields.error("output_schema", str(error)) from error
    return schema
