"""The errors of the SDK.

PromptOpsError
├── ServerUnreachableError      no response: refused, reset, name not found, TLS failed
│   └── RequestTimeoutError     no complete response within the time-out
├── ProtocolError               a response that does not come from PromptOps
├── ResponseError               the server refused; has `status` and the server's message
│   ├── UnauthorizedError       401
│   ├── ForbiddenError          403
│   ├── NotFoundError           404
│   └── ServerError             5xx
├── ClientClosedError           the client was closed before or during the call
├── MissingVariableError        `strict`, and variables are missing
└── TemplateValueError          a variable has no text form (a TypeError too)
    └── PlaceholderError        a variable can't fill a placeholder of a chat
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from promptops.masking import masked_url


class PromptOpsError(Exception):
    """The base class of all errors of this SDK."""


class ServerUnreachableError(PromptOpsError):
    """No response: connection refused or lost, host not found, TLS failed."""


class RequestTimeoutError(ServerUnreachableError):
    """The response was not complete within the client's time-out."""


class ProtocolError(PromptOpsError):
    """The response does not come from PromptOps: is the server's address right?"""


class ResponseError(PromptOpsError):
    """The server responded with an error status, `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class UnauthorizedError(ResponseError):
    """401: the token is missing, unknown or expired."""


class ForbiddenError(ResponseError):
    """403: the token's role may not do this."""


class NotFoundError(ResponseError):
    """404: no such prompt in this namespace."""


class ServerError(ResponseError):
    """5xx: the server failed; trying again later may help."""


class ClientClosedError(PromptOpsError):
    """The client was closed."""

    def __init__(self) -> None:
        super().__init__("the PromptOps client is closed; make a new one")


class MissingVariableError(PromptOpsError):
    """Variables of the text are missing or None; `names` lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"missing variables: {', '.join(names)}; give them, or don't ask for strict"
        )
        self.names = tuple(names)


class TemplateValueError(PromptOpsError, TypeError):
    """A variable's value has no text form, for example a set or an open file."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"variable {name!r} can't be rendered: {reason}; "
            "pass text, a number, true or false, or lists and objects of them"
        )
        self.name = name


class PlaceholderError(TemplateValueError):
    """A variable's value can't fill its placeholder in a chat prompt; `index` is the index of
    the invalid message, None if the value is not a list."""

    def __init__(self, name: str, reason: str, index: int | None = None) -> None:
        PromptOpsError.__init__(self, f"variable {name!r} can't fill its placeholder: {reason}")
        self.name = name
        self.index = index


# Longer bodies are not from PromptOps.
LONGEST_REFUSAL = 64 * 1024
_BY_STATUS = {401: UnauthorizedError, 403: ForbiddenError, 404: NotFoundError}


def response_error(status: int, body: bytes, location: str | None = None) -> PromptOpsError:
    """Return the error for a status, with the message in the body's field ``error`` if there is
    one."""
    message = _server_message(body)
    if 300 <= status < 400 and location:
        message = f"the server redirects to {masked_url(location)!r:.300}; use that address"
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ResponseError)
    return kind(status, message or "the server gave no reason")


def _server_message(body: bytes) -> str | None:
    if len(body) > LONGEST_REFUSAL:
        return None
    try:
        body_json = json.loads(body)
    # A proxy or another server may respond in its own format.
    except (ValueError, RecursionError):
        return None
    message = body_json.get("error") if isinstance(body_json, dict) else None
    return message if isinstance(message, str) else None
