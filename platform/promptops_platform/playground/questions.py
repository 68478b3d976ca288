"""What the playground asks a model: a prompt, or what an editor has in hand, rendered."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptops_flows.bounded_templates import TextTooLongError, render_bounded
from promptops_flows.templates import TemplateValueError
from promptops_platform.errors import BadRequest
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.playground.schemas import PlaygroundRun
from promptops_platform.prompts.body import BETWEEN_MESSAGES, CHAT, TEXT, Body, joined
from promptops_platform.prompts.json_schemas import judge_schemas
from promptops_platform.prompts.model_settings import named_output_schema, parameters_of
from promptops_providers.gateway import Target
from promptops_providers.protocol import CompletionRequest, Message

# Longer ones are rendered on a thread, so that nobody else waits for them.
QUICK_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """Ready to be asked. `ref_key` is the prompt's key, empty where none was named; `inputs` is
    what the run log keeps of it; `scope` is one of `access.scopes`."""

    workspace_id: str
    ref_key: str
    scope: str | None
    request: CompletionRequest
    targets: Sequence[Target]
    inputs: Mapping[str, Any]

    @property
    def rendered(self) -> str:
        """The texts of the messages with a blank line between them."""
        return BETWEEN_MESSAGES.join(each.content for each in self.request.messages)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The rendered messages, as they go over the wire."""
        return [{"role": each.role, "content": each.content} for each in self.request.messages]


def body_of(asked: PlaygroundRun, stored: Body | None) -> Body:
    """What is to be rendered: what was sent, else what is stored; raises BadRequest for neither."""
    config = dict(stored.config) if stored else {}
    if asked.messages:
        messages = [each.model_dump() for each in asked.messages]
        return Body(joined(messages), kind=CHAT, messages=messages, config=config)
    if asked.content:
        return Body(asked.content, kind=TEXT, config=config)
    if stored is None:
        raise BadRequest(
            "content: is empty, and no id of a prompt was sent; send the id of a prompt, a "
            "content, or messages"
        )
    return stored


def variables_of(asked: PlaygroundRun) -> Mapping[str, Any]:
    """The values for the placeholders; raises BadRequest where they are no object."""
    variables = {} if asked.variables is None else asked.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return variables


async def rendered(body: Body, variables: Mapping[str, Any]) -> list[Message]:
    """The messages to ask with; raises BadRequest for what renders to too much, or to nothing."""
    size = len(body.content) + sum(len(str(each)) for each in variables.values())
    try:
        if size > QUICK_CHARACTERS:
            leave_loop_share()
            messages = await asyncio.to_thread(_render, body, variables)
        else:
            messages = _render(body, variables)
    except TextTooLongError as error:
        raise BadRequest(f"variables: {error}") from error
    except TemplateValueError as error:
        raise BadRequest(str(error)) from error
    return messages


async def completion_request(
    asked: PlaygroundRun, body: Body, messages: Sequence[Message]
) -> CompletionRequest:
    """The prompt's own parameters and schema, under those that were sent; raises BadRequest for a
    schema that can't be used."""
    schemas = named_output_schema(asked.output_schema, body.config)
    await judge_schemas(schemas)
    return CompletionRequest(
        messages=tuple(messages),
        parameters=parameters_of(body.config) | (asked.parameters or {}),
        output_schema=next(iter(schemas.values()), None),
    )


def _render(body: Body, variables: Mapping[str, Any]) -> list[Message]:
    if body.kind == TEXT:
        return [Message("user", render_bounded(body.content, variables))]
    found = [Message(each["role"], each["content"]) for each in body.messages]
    return [replace(each, content=render_bounded(each.content, variables)) for each in found]
