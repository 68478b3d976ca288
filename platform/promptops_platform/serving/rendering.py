"""Renders the body of a prompt with variables."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from promptops_flows.templates.bounded import TextTooLongError, render_bounded
from promptops_flows.templates.chat_messages import (
    MessageError,
    PlaceholderError,
    RawMessage,
    RenderedChat,
    render_chat,
)
from promptops_flows.templates.language import TemplateValueError
from promptops_platform.errors import BadRequest
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.prompts.body import CHAT, TEXT, Body
from promptops_providers.protocol import Message

# Longer bodies are rendered on a thread, so that other requests don't wait.
QUICK_CHARACTERS = 20_000


def templates_of(body: Body) -> Sequence[RawMessage]:
    """Return the messages to render; a text is a single user message."""
    return body.messages if body.kind == CHAT else text_templates(body.content)


def text_templates(text: str) -> Sequence[RawMessage]:
    """Return a text as a single user message."""
    return [{"role": "user", "content": text}]


async def render_body(body: Body, variables: Mapping[str, Any]) -> RenderedChat:
    """Return the rendered messages; raises BadRequest if they are too long or empty."""
    size = len(body.content) + sum(len(str(value)) for value in variables.values())
    try:
        if size > QUICK_CHARACTERS:
            leave_loop_share()
            chat = await asyncio.to_thread(_render, body, variables)
        else:
            chat = _render(body, variables)
    except TextTooLongError as error:
        raise BadRequest(f"variables: {error}") from error
    except (TemplateValueError, PlaceholderError) as error:
        raise BadRequest(str(error)) from error
    except MessageError as error:
        raise BadRequest(f"messages: one of them {error}") from error
    if not chat.messages:
        raise BadRequest(
            "variables: the prompt is a placeholder alone, and nothing fills it; give it a list of "
            "messages"
        )
    return chat


def _render(body: Body, variables: Mapping[str, Any]) -> RenderedChat:
    if body.kind == TEXT:
        text = render_bounded(body.content, variables)
        return RenderedChat([{"role": "user", "content": text}], [Message("user", text)])
    return render_chat(body.messages, variables)
