"""The errors that callers are told of, one class per situation.

PlatformError
├── BadRequest          400  a field or value can't be taken
├── Unauthorized        401  no token, or one that is not valid
├── Forbidden           403  the role is too low
├── NotFound            404
├── Conflict            409  the change collides with what is stored
├── RequestTimeout      408  the request did not come in time
├── BodyTooLarge        413
├── UpgradeRequired     426  a WebSocket is asked for like a page
├── TooManyRequests     429
├── HeadTooLarge        431
├── CallerGone          499  nobody waits for the answer any more
├── StepFailed          502  a workflow's step failed
├── ProviderFailed      502  a model provider did not answer as asked
└── Unavailable         503  a part that the request needs can't answer now
    ├── DatabaseUnavailable
    │   ├── DatabaseNotWritable   its disk is full, or it may only be read
    │   └── DatabaseDamaged       what is stored can't be read
    ├── EngineNotReady
    ├── SecretUnreadable
    └── NotReady            this replica should be sent no requests now
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar


class StartRefused(Exception):
    """The platform can't start; the text says why and what to do."""


class PlatformError(Exception):
    """Base of all errors that become an answer.

    `sentence` goes to the caller as `error`; `code` names the situation for programs; `fields`
    stand beside both in the body.
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
        """The JSON body of the answer."""
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
    """`reason` is the provider error's own code; `retry_after` is in seconds, where it is known."""

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
        # The header takes whole seconds only.
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
