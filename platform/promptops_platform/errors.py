"""The errors that callers receive, one class per situation.

PlatformError
├── BadRequest          400  a field or value is invalid
├── Unauthorized        401  the token is missing or invalid
├── Forbidden           403  the role is too low
├── NotFound            404
├── Conflict            409  the change conflicts with the stored state
├── RequestTimeout      408  the request did not arrive in time
├── BodyTooLarge        413
├── UpgradeRequired     426  a WebSocket path was requested over plain HTTP
├── TooManyRequests     429
├── HeadTooLarge        431
├── CallerGone          499  the client has disconnected
├── StepFailed          502  a workflow's step failed
├── ProviderFailed      502  a call to a model provider failed
└── Unavailable         503  a part that the request needs is unavailable
    ├── DatabaseUnavailable
    │   ├── DatabaseNotWritable   its disk is full, or it is read-only
    │   └── DatabaseDamaged       what is stored can't be read
    ├── EngineNotReady
    ├── SecretUnreadable
    └── NotReady            this replica should get no requests now
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar


class StartRefused(Exception):
    """The platform can't start; the message says why and how to fix it."""


class PlatformError(Exception):
    """Base of all errors that become an error response.

    `sentence` is the response's `error`; `code` identifies the situation for programs; `fields` are
    added to the body.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        sentence: str,
        *,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        return {"error": self.sentence, "code": self.code, **self.fields}


class BadRequest(PlatformError):
    status = 400
    code = "bad_request"


class Unauthorized(PlatformError):
    status = 401
    code = "unauthorized"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, headers={"www-authenticate": "Bearer"})


class Forbidden(PlatformError):
    status = 403
    code = "forbidden"


class NotFound(PlatformError):
    status = 404
    code = "not_found"


class Conflict(PlatformError):
    status = 409
    code = "conflict"


class RequestTimeout(PlatformError):
    status = 408
    code = "request_timeout"


class BodyTooLarge(PlatformError):
    status = 413
    code = "body_too_large"


class UpgradeRequired(PlatformError):
    status = 426
    code = "upgrade_required"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, headers={"upgrade": "websocket", "connection": "Upgrade"})


class TooManyRequests(PlatformError):
    status = 429
    code = "too_many_requests"

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence, headers={"retry-after": str(retry_after)})


class HeadTooLarge(PlatformError):
    status = 431
    code = "head_too_large"


class CallerGone(PlatformError):
    status = 499
    code = "caller_gone"


class StepFailed(PlatformError):
    status = 502
    code = "step_failed"


class ProviderFailed(PlatformError):
    """`reason` is the provider error's own code; `retry_after` is in seconds, None if unknown."""

    status = 502
    code = "provider_failed"

    def __init__(
        self,
        sentence: str,
        *,
        reason: str,
        retry_after: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        hint = {} if retry_after is None else {"retry_after": retry_after}
        # The header allows whole seconds only.
        headers = {} if retry_after is None else {"retry-after": str(math.ceil(retry_after))}
        super().__init__(
            sentence, headers=headers, fields={"reason": reason, **hint, **(fields or {})}
        )


class Unavailable(PlatformError):
    status = 503
    code = "unavailable"

    def __init__(self, sentence: str, *, retry_after: int = 1) -> None:
        super().__init__(sentence, headers={"retry-after": str(retry_after)})


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"


class DatabaseNotWritable(DatabaseUnavailable):
    pass


class DatabaseDamaged(DatabaseUnavailable):
    def __init__(self, sentence: str) -> None:
        # An operator has to act first.
        super().__init__(sentence, retry_after=60)


class NotReady(Unavailable):
    code = "not_ready"

    def __init__(self, sentence: str, *, fields: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.fields = dict(fields)


class EngineNotReady(Unavailable):
    code = "engine_not_ready"


class SecretUnreadable(Unavailable):
    code = "secret_unreadable"

    def __init__(self, sentence: str) -> None:
        # An operator has to act first.
        super().__init__(sentence, retry_after=60)
