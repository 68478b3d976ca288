"""Everything the SDK raises on purpose.

PromptOpsError
├── ServerUnreachableError      no answer: refused, reset, name not found, TLS failed
│   └── RequestTimeoutError     no full answer within the time-out
├── ProtocolError               an answer that is not what PromptOps sends
├── ResponseError               the server refused; has `status` and the server's own words
│   ├── UnauthorizedError       401
│   ├── ForbiddenError          403
│   ├── NotFoundError           404
│   └── ServerError             5xx
├── ClientClosedError           the client was closed before or during the call
├── MissingVariableError        `strict` was asked for, and variables are missing
└── TemplateValueError          a variable can't be put into a text (a TypeError too)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from promptops.masking import masked_url


class PromptOpsError(Exception):
    """What all errors of this SDK have in common."""


class ServerUnreachableError(PromptOpsError):
    """No answer came: connection refused or lost, host not found, TLS failed."""


class RequestTimeoutError(ServerUnreachableError):
    """The answer was not complete within the client's time-out."""


class ProtocolError(PromptOpsError):
    """Something answered, but not as PromptOps does: is the server's address right?"""


class ResponseError(PromptOpsError):
    """The server answered with an error status; `status` holds it."""

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
    """The text has placeholders whose variables were not given, or are None; `names` holds them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"missing variables: {', '.join(names)}; give them, or don't ask for strict"
        )
        self.names = tuple(names)


class TemplateValueError(PromptOpsError, TypeError):
    """A variable's value can't be put into a text: no JSON form, as a set or an open file."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"variable {name!r} can't be rendered: {reason}; "
            "pass text, a number, true or false, or lists and objects of them"
        )
        self.name = name


# What is longer has no words of PromptOps.
LONGEST_REFUSAL = 64 * 1024
_BY_STATUS = {401: UnauthorizedError, 403: ForbiddenError, 404: NotFoundError}


def response_error(status: int, body: bytes, location: str | None = None) -> PromptOpsError:
    """The error for a status, in the words of the body's field ``error`` where it has one."""
    words = _server_words(body)
    if 300 <= status < 400 and location:
        words = f"the server redirects to {masked_url(location)!r:.300}; use that address"
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ResponseError)
    return kind(status, words or "the server gave no reason")


def _server_words(body: bytes) -> str | None:
    if len(body) > LONGEST_REFUSAL:
        return None
    try:
        answer = json.loads(body)
    # Whatever stands between (a proxy, another server) answers in its own format.
    except (ValueError, RecursionError):
        return None
    words = answer.get("error") if isinstance(answer, dict) else None
    return words if isinstance(words, str) else None
