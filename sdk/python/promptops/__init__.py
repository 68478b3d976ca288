"""PromptOps: prompts that change while your program runs."""

from promptops.aio.client import AsyncPromptOpsClient
from promptops.client import PromptOpsClient
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    MissingVariableError,
    NotFoundError,
    PlaceholderError,
    PromptOpsError,
    ProtocolError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    ServerUnreachableError,
    TemplateValueError,
    UnauthorizedError,
)
from promptops.listeners import Deletion, Event, Update
from promptops.prompts import Prompt
from promptops.templates import render_template
from promptops.version import VERSION

__version__ = VERSION

__all__ = [
    "AsyncPromptOpsClient",
    "ClientClosedError",
    "Deletion",
    "Event",
    "ForbiddenError",
    "MissingVariableError",
    "NotFoundError",
    "PlaceholderError",
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
    "__version__",
    "render_template",
]
