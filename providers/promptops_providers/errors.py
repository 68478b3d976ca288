"""What can go wrong between a step and a model provider.

    ProviderError
    ├── NotAvailableError        the provider has no adapter in this version
    ├── AuthenticationError      the vendor refuses the API key
    ├── BadRequestError          the vendor refuses the request as it stands
    │   └── ContextTooLongError  the prompt does not fit into the model's window
    ├── RefusedError             the model declines to answer this content
    ├── RateLimitedError         too many requests; `retry_after` when the vendor says it
    ├── OverloadedError          the vendor has no capacity at the moment
    ├── ProviderTimeoutError     no answer within the time allowed
    ├── MalformedAnswerError     the answer is not what the wire format promises
    └── StreamCutOffError        the stream ended before its last event

`code` is for programs and never changes, the text is one sentence for people, and `retryable` says
whether the same request may succeed a moment later.
"""

from __future__ import annotations

from typing import ClassVar


class ProviderError(Exception):
    """A completion that did not come about; `str()` is one sentence that names the provider."""

    code: ClassVar[str] = "provider_error"
    retryable: ClassVar[bool] = False

    def __init__(self, provider: str, sentence: str, *, retry_after: float | None = None) -> None:
        """`retry_after` is in seconds, None when the vendor gave no hint."""
        super().__init__(sentence)
        self.provider = provider
        self.sentence = sentence
        self.retry_after = retry_after


class NotAvailableError(ProviderError):
    code = "provider_not_available"


class AuthenticationError(ProviderError):
    code = "authentication_failed"


class BadRequestError(ProviderError):
    code = "bad_request"


class ContextTooLongError(BadRequestError):
    code = "context_too_long"


class RefusedError(ProviderError):
    code = "refused"


class RateLimitedError(ProviderError):
    code = "rate_limited"
    retryable = True


class OverloadedError(ProviderError):
    code = "overloaded"
    retryable = True


class ProviderTimeoutError(ProviderError):
    code = "timeout"
    retryable = True


class MalformedAnswerError(ProviderError):
    code = "malformed_answer"
    retryable = True


class StreamCutOffError(ProviderError):
    code = "stream_cut_off"
    retryable = True
