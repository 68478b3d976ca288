"""What the playground sends to a model: a stored prompt or unsaved content, rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptops_flows.templates.chat_messages import (
    RenderedChat,
)
from promptops_platform.errors import BadRequest
from promptops_platform.playground.schemas import PlaygroundRun
from promptops_platform.prompts.body import CHAT, TEXT, Body, join_texts
from promptops_platform.prompts.json_schemas import check_schemas
from promptops_platform.prompts.message_schemas import stored_messages
from promptops_platform.prompts.model_settings import named_output_schema, parameters_of
from promptops_providers.gateway import Target
from promptops_providers.protocol import CompletionRequest, PromptVersion


@dataclass(frozen=True, slots=True)
class Question:
    """A question, ready to be sent. `ref_key` is the prompt's key, empty without a prompt; `inputs`
    is what the run log stores of it; `scope` is one of `access.scopes`; `prompt` is the stored
    version that is used."""

    workspace_id: str
    ref_key: str
    scope: str | None
    request: CompletionRequest
    targets: Sequence[Target]
    inputs: Mapping[str, Any]
    chat: RenderedChat

    @property
    def prompt(self) -> PromptVersion | None:
        """The registry prompt that is used."""
        return self.request.prompt

    @property
    def rendered(self) -> str:
        """The texts of the messages, joined by blank lines."""
        return self.chat.text

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Return the rendered messages as they are sent."""
        return [dict(message) for message in self.chat.raw]


def body_of(asked: PlaygroundRun, stored: Body | None) -> Body:
    """Return the body to render: what was sent, otherwise what is stored; raises BadRequest without
    either."""
    config = dict(stored.config) if stored else {}
    if asked.messages:
        messages = stored_messages(asked.messages)
        return Body(join_texts(messages), kind=CHAT, messages=messages, config=config)
    if asked.content:
        return Body(asked.content, kind=TEXT, config=config)
    if stored is None:
        raise BadRequest(
            "content: is empty, and no id of a prompt was sent; send the id of a prompt, a "
            "content, or messages"
        )
    return stored


def variables_of(asked: PlaygroundRun) -> Mapping[str, Any]:
    """Return the values for the placeholders; raises BadRequest if they aren't an object."""
    variables = {} if asked.variables is None else asked.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return variables


async def completion_request(
    asked: PlaygroundRun, body: Body, chat: RenderedChat, prompt: PromptVersion | None
) -> CompletionRequest:
    """Return the request with the prompt's own parameters and schema, overridden by those that were
    sent; raises BadRequest for an invalid schema."""
    schemas = named_output_schema(asked.output_schema, body.config)
    await check_schemas(schemas)
    return CompletionRequest(
        messages=tuple(chat.messages),
        parameters=parameters_of(body.config) | (asked.parameters or {}),
        output_schema=next(iter(schemas.values()), None),
        prompt=prompt,
    )
