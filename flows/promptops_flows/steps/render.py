"""`render`: renders a template or a prompt of the registry with the run's variables and the
input."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import KindSchema, described, text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.step import Action, ParseContext, Template, rendered
from promptops_flows.steps.targets import PromptTarget
from promptops_flows.templates.bounded import TextTooLongError
from promptops_flows.templates.chat_messages import (
    MessageError,
    PlaceholderError,
    RawMessage,
    render_chat,
)
from promptops_flows.templates.language import TemplateValueError
from promptops_flows.templates.references import MissingOutputError, Scope
from promptops_providers.protocol import PromptVersion

MAX_TEMPLATE_CHARACTERS = 1_048_576


@dataclass(frozen=True, slots=True)
class Render(Action):
    """For a `prompt`, the template or the `messages` are set before a run starts."""

    template: str
    prompt: PromptTarget | None = None
    messages: tuple[RawMessage, ...] = ()
    type: ClassVar[str] = "render"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "template": described(
                text(MAX_TEMPLATE_CHARACTERS), "The template; leave it out to render `prompt`."
            ),
            "prompt": PromptTarget.schema(),
        },
        description="Renders a template, or a prompt of the registry, as text.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        inner = fields.inner("prompt")
        if inner is None:
            return cls(fields.text("template", MAX_TEMPLATE_CHARACTERS))
        if fields.text("template", MAX_TEMPLATE_CHARACTERS):
            raise fields.error("prompt", "can't be combined with a template; use one of the two")
        return cls("", PromptTarget.parse(inner))

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        return (self.prompt.used,) if self.prompt else ()

    def templates(self) -> Iterable[Template]:
        yield Template("template", self.template)
        if self.prompt is not None:
            yield Template("prompt", self.prompt.subject)

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        notes: tuple[str, ...] = ()
        if self.prompt is not None:
            notes = (f"prompt {self.prompt.key} {self.prompt.version} of {self.prompt.env}",)
        # On a thread: a megabyte of template must not block the other runs.
        if self.messages:
            return StepOutput(await asyncio.to_thread(self._chat, scope), notes=notes)
        return StepOutput(await asyncio.to_thread(rendered, self.template, scope), notes=notes)

    def _chat(self, scope: Scope) -> str:
        try:
            return render_chat(self.messages, scope).text
        except (
            TextTooLongError,
            TemplateValueError,
            PlaceholderError,
            MessageError,
            MissingOutputError,
        ) as error:
            raise StepError(str(error)) from error
