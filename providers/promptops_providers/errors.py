"""What can go wrong between a step and a model provider.

    ProviderError
    ├── NotAvailableError        there is no provider of this kind
    ├── AddressRefusedError      the address rules forbid the host that was to be called
    ├── RequestTooLargeError     the request passes a limit of this program's; nothing was sent
    ├── AuthenticationError      the vendor refuses the API key
    ├── BadRequestError          the vendor refuses the request as it stands
    │   ├── ContextTooLongError  the prompt does not fit into the model's window
    │   ├── TargetUnusableError  the model or the address does not exist, or refuses such requests
    │   └── UnsupportedPartError the adapter can't send an image or a file of the request
    ├── RefusedError             the model declines to answer this content
    ├── QuotaExceededError       the account's credit or quota is used up
    ├── RateLimitedError         too many requests; `retry_after` when the vendor says it
    ├── OverloadedError          the vendor has no capacity at the moment
    ├── UnreachableError         no connection to the host came about
    ├── ProviderTimeoutError     no answer within the time allowed
    ├── EmptyAnswerError         the answer ended well, but nothing is in it
    ├── MalformedAnswerError     the answer is not what the wire format promises
    └── StreamCutOffError        the stream ended before its last event

`code` is for programs and never changes, the text is one sentence for people, `retryable` says
whether the same request may succeed a moment later, and `falls_back` whether another provider may
succeed with it: then a chain goes on to its next target.
"""

from __future__ import annotations

from typing import ClassVar

from promptops_providers.adaptation.rejections import Rejection
from promptops_providers.protocol import SpentCall, Usage


class ProviderError(Exception):
    """A completion that did not come about; `str()` is one sentence that names the provider.

    `sentence` is the same; `summary` is it without the vendor's words, which may repeat the prompt.
    """

    code: ClassVar[str] = "provider_error"
    retryable: ClassVar[bool] = False
    falls_back: ClassVar[bool] = True

    def __init__(
        self, provider: str, summary: str, *, quoted: str = "", retry_after: float | None = None
    ) -> None:
        """`quoted` are the vendor's own words; `retry_after` is in seconds, None when the vendor
        gave no hint. `usage` is what the vendor has reported all the same, and `model` which one
        was asked; `spent` are the calls of the chain's targets before. `rejection` is what the
        vendor has against the request as it was sent, and `notes` are those of a `Completion`."""
        sentence = f"{summary} ({quoted})" if quoted else summary
        super().__init__(sentence)
        self.provider = provider
        self.sentence = sentence
        self.summary = summary
        self.retry_after = retry_after
        self.usage: Usage | None = None
        self.rejection: Rejection | None = None
        self.notes: tuple[str, ...] = ()
        self.spent: tuple[SpentCall, ...] = ()
        self.model = ""


class NotAvailableError(ProviderError):
    code = "provider_not_available"
    falls_back = False


class AddressRefusedError(ProviderError):
    code = "address_refused"
    falls_back = False


class RequestTooLargeError(ProviderError):
    code = "request_too_large"
    falls_back = False


class AuthenticationError(ProviderError):
    code = "authentication_failed"


class BadRequestError(ProviderError):
    code = "bad_request"
    falls_back = False


class ContextTooLongError(BadRequestError):
    code = "context_too_long"
    falls_back = True


class TargetUnusableError(BadRequestError):
    code = "target_unusable"
    falls_back = True


class UnsupportedPartError(BadRequestError):
    code = "unsupported_part"
    falls_back = True


class RefusedError(ProviderError):
    code = "refused"
    falls_back = False


class QuotaExceededError(ProviderError):
    code = "quota_exceeded"


class RateLimitedError(ProviderError):
    code = "rate_limited"
    retryable = True


class OverloadedError(ProviderError):
    code = "overloaded"
    retryable = True


class UnreachableError(ProviderError):
    code = "unreachable"
    retryable = True


class ProviderTimeoutError(ProviderError):
    code = "timeout"
    retryable = True


class EmptyAnswerError(ProviderError):
    """Never raised: a chain goes on because of it, and its last answer is given as it is."""

    code = "empty_answer"


class MalformedAnswerError(ProviderError):
    code = "malformed_answer"
    retryable = True


class StreamCutOffError(ProviderError):
    code = "stream_cut_off"
    retryable = True
