"""PromptOps: prompts that change while your program runs."""

from promptops.client import PromptOpsClient
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    NotFoundError,
    PromptOpsError,
    ProtocolError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    ServerUnreachableError,
    TemplateValueError,
    UnauthorizedError,
)
from promptops.prompts import Prompt
from promptops.refetching import Event, Update
from promptops.templates import render_template

__all__ = [
    "ClientClosedError",
    "Event",
    "ForbiddenError",
    "NotFoundError",
    "Prompt",
    "PromptOpsClient",
    "PromptOpsError",
    "ProtocolError",
    "RequestTimeoutError",
    "ResponseError",
    "ServerError",
    "ServerUnreachableError",
    "TemplateValueError",
    "UnauthorizedError",
    "Update",
    "render_template",
]
