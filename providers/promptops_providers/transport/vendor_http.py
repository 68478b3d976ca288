"""HTTP to one vendor: what goes out and comes in, and every failure as a `ProviderError`.

An adapter describes its vendor with a `Dialect` and talks through a `VendorHttp`. It never sees a
status code, a header, or an exception of the HTTP library.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.adaptation.rejections import Rejection
from promptops_providers.answers.failures import (
    ErrorClass,
    class_for_status,
    excerpt,
    retry_after,
    retry_after_in_words,
    words_for,
)
from promptops_providers.errors import (
    AddressRefusedError,
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    StreamCutOffError,
    TargetUnusableError,
    UnreachableError,
)
from promptops_providers.gateway import Credentials
from promptops_providers.transport.address_policy import ForbiddenAddress
from promptops_providers.transport.decoding import ACCEPT_ENCODING, UndecodableError, decoded
from promptops_providers.transport.endpoints import endpoint
from promptops_providers.transport.sse import EventParser, LineSplitter, ServerSentEvent

# JSON that is longer or holds more values holds up all other requests while it is read.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_ANSWER_VALUES = 250_000
# The frame around each piece is many times as long as the piece.
MAX_STREAM_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_TAIL_SECONDS = 0.5
_NOT_UTF_8 = "its text is not UTF-8"
_KEY = re.compile(r"[!-~]+")
# With these statuses servers refuse parts of a request, too; 200 is that of an error in a stream.
_UNCLEAR_STATUSES = (200, 500, 501)

ErrorT = TypeVar("ErrorT", bound=ProviderError)


def key_as_bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def message_of(body: Mapping[str, Any]) -> str:
    """The vendor's words in `{"error": {"message": "..."}}` or in simpler forms of it."""
    inner = body.get("error", body)
    text = inner.get("message") if isinstance(inner, Mapping) else inner
    return text if isinstance(text, str) else ""


def _status_says_it_all(status: int, body: Mapping[str, Any]) -> ErrorClass | None:
    del status, body
    return None


def _never(event: object) -> bool:
    del event
    return False


def _no_hint(body: Mapping[str, Any]) -> float | None:
    del body
    return None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one vendor's HTTP has of its own.

    `root` is the vendor's address; without one, a base URL must be given. `headers` makes headers
    from the key. The others read the body of an error, a JSON object (empty when it was none):
    `classify` says more than the HTTP status does, or None; an error within a stream has status
    200. `message` finds the vendor's own words, `retry_after` the seconds to wait where no header
    has them.
    """

    root: str
    headers: Callable[[str | None], Mapping[str, str]] = key_as_bearer
    needs_key: bool = True
    classify: Callable[[int, Mapping[str, Any]], ErrorClass | None] = _status_says_it_all
    message: Callable[[Mapping[str, Any]], str] = message_of
    retry_after: Callable[[Mapping[str, Any]], float | None] = _no_hint


@dataclass(frozen=True, slots=True)
class VendorHttp:
    """The way to one target, for one call. `provider` is how errors call it."""

    provider: str
    dialect: Dialect
    credentials: Credentials
    client: httpx.AsyncClient = field(repr=False)
    compatibility: Compatibility = UNKNOWN
    # The body that went out last.
    _sent: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    async def answer(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """POST the body as JSON; the JSON object that comes back.

        `path` is below the vendor's root and begins with its version, `/v1/...`; it may hold a
        query, which is never the place for a key.
        """
        async with self._response(path, body) as response:
            raw = b"".join([chunk async for chunk in self._chunks(response, MAX_ANSWER_BYTES)])
        return self.json_object(raw)

    async def events(
        self,
        path: str,
        body: Mapping[str, Any],
        until: Callable[[ServerSentEvent], bool] = _never,
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """POST the body as JSON; the server-sent events of the answer, each as soon as it is whole.
        An answer that is a JSON object instead comes as one event.

        The event that `until` tells is the last one; to name it, instead of breaking off, keeps the
        connection for the next request. The stream may end anywhere without an error: whether it
        was cut off, the adapter must tell by the vendor's last event. Iterate it inside
        `contextlib.aclosing`: closing this is what closes the connection.
        """
        parser, has_begun = EventParser(), False
        async with self._streamed(path, body) as chunks:
            async for chunk in chunks:
                # Blank lines before the first event mean nothing.
                begun = chunk if has_begun else chunk.lstrip()
                if not has_begun and begun.startswith(b"{"):
                    yield await self._whole(begun, chunks)
                    return
                has_begun = has_begun or bool(begun)
                for event in self._parsed(parser, begun):
                    yield event
                    if until(event):
                        await _read_to_end(chunks)
                        return
        last = parser.unfinished()
        if last is not None and _is_whole(last):
            yield last

    def _parsed(self, parser: EventParser, chunk: bytes) -> list[ServerSentEvent]:
        try:
            return parser.feed(chunk)
        except UnicodeDecodeError as error:
            raise self.malformed(_NOT_UTF_8) from error

    async def _whole(self, begun: bytes, chunks: AsyncIterator[bytes]) -> ServerSentEvent:
        """The answer that begins so, which is no stream of events."""
        raw = bytearray(begun)
        async for chunk in chunks:
            raw += chunk
            self._check_length(raw)
        try:
            return ServerSentEvent(raw.decode(), is_whole=True)
        except UnicodeDecodeError as error:
            raise self.malformed(_NOT_UTF_8) from error

    async def json_lines(
        self,
        path: str,
        body: Mapping[str, Any],
        until: Callable[[Mapping[str, Any]], bool] = _never,
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """As `events`, for an answer of one JSON object a line."""
        splitter = LineSplitter()
        async with self._streamed(path, body) as chunks:
            async for chunk in chunks:
                for line in filter(bytes.strip, splitter.feed(chunk)):
                    value = self.json_object(line)
                    yield value
                    if until(value):
                        await _read_to_end(chunks)
                        return
        if splitter.rest.strip():
            # The last line may lack its end, but then it is whole; a part of one is no JSON.
            try:
                last = self.json_object(splitter.rest)
            except MalformedAnswerError as error:
                raise self.cut_off() from error
            yield last

    def json_object(self, raw: bytes | str) -> Mapping[str, Any]:
        """Raises `MalformedAnswerError` for anything but a JSON object."""
        self._check_length(raw)
        if _count_values(raw) > MAX_ANSWER_VALUES:
            raise self.malformed(f"it holds more than {MAX_ANSWER_VALUES:,} values")
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self.malformed("it is not JSON") from error
        if not isinstance(value, dict):
            raise self.malformed("it is not a JSON object")
        return value

    def _check_length(self, raw: bytes | bytearray | str) -> None:
        if len(raw) > MAX_ANSWER_BYTES:
            raise self.malformed(f"it is longer than {MAX_ANSWER_BYTES:,} bytes")

    def malformed(self, why: str) -> MalformedAnswerError:
        """`why` is in our own words, about "it", the answer."""
        return self.error(MalformedAnswerError, f"the answer could not be read: {why}")

    def cut_off(self) -> StreamCutOffError:
        return self.error(StreamCutOffError, "the answer broke off before its end")

    def error(self, kind: type[ErrorT], words: str = "", vendor_words: str = "") -> ErrorT:
        """An error whose sentence holds our words (by default the usual ones for its kind), then an
        excerpt of the vendor's."""
        sentence = words or words_for(kind)
        quoted = excerpt(vendor_words, self._key)
        return kind(self.provider, f"provider {self.provider}: {sentence}", quoted=quoted)

    def error_in_stream(self, body: Mapping[str, Any]) -> ProviderError:
        """The error that the vendor sends within an answer that began well."""
        return self._error_from(200, body, {})

    def _error_from(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> ProviderError:
        kind = self.dialect.classify(status, body) or class_for_status(status)
        if status == 422 and not body:
            # Not the vendor's own judgement of the request, which comes as JSON.
            kind = TargetUnusableError
        error = self.error(kind, vendor_words=self.dialect.message(body))
        if _may_be_of_a_part(status, kind):
            error.rejection = Rejection.of(body, self._sent)
        if error.retryable:
            error.retry_after = (
                retry_after(headers)
                or self.dialect.retry_after(body)
                or retry_after_in_words(self.dialect.message(body))
            )
        return error

    @property
    def _key(self) -> str | None:
        return self.credentials.api_key or None

    def _request(self, path: str, body: Mapping[str, Any]) -> httpx.Request:
        key, base = self._key, self.credentials.base_url or ""
        if key is None and self.dialect.needs_key and not base:
            raise self.error(AuthenticationError, "no API key is given")
        if key is not None and not _KEY.fullmatch(key):
            raise self.error(
                AuthenticationError, "the API key contains characters that are not valid in a key"
            )
        if not (base or self.dialect.root):
            raise self.error(
                BadRequestError, "no base URL is set, and the provider has no default address"
            )
        try:
            content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise self.error(BadRequestError, f"the request is not JSON: {error}") from error
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
            **self.dialect.headers(key),
        }
        try:
            url = endpoint(base or self.dialect.root, path)
            return self.client.build_request("POST", url, content=content, headers=headers)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self.error(AddressRefusedError, f"the base URL is not a URL: {error}") from error

    @asynccontextmanager
    async def _response(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        request = self._request(path, body)
        self._sent.clear()
        self._sent.update(body)
        with self._failures(request.url):
            response = await self.client.send(request, stream=True)
        try:
            if response.is_redirect:
                raise self.error(
                    AddressRefusedError,
                    f"host {request.url.host} answers with a redirect, which is not followed, "
                    "give the address it leads to",
                )
            if not response.is_success:
                raise await self._failure(response)
            yield response
        finally:
            # What fails at the end of a connection says nothing about the answer.
            with suppress(httpx.HTTPError):
                await response.aclose()

    @asynccontextmanager
    async def _streamed(
        self, path: str, body: Mapping[str, Any]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with (
            self._response(path, body) as response,
            aclosing(self._chunks(response, MAX_STREAM_BYTES)) as chunks,
        ):
            yield chunks

    async def _chunks(self, response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
        with self._failures(response.request.url):
            async with aclosing(decoded(response, limit)) as portions:
                async for portion in portions:
                    yield portion

    async def _failure(self, response: httpx.Response) -> ProviderError:
        try:
            chunks = [chunk async for chunk in self._chunks(response, _MAX_ERROR_BYTES)]
            body = self.json_object(_unwrapped(b"".join(chunks)))
        except (MalformedAnswerError, StreamCutOffError):
            body = {}
        return self._error_from(response.status_code, body, response.headers)

    @contextmanager
    def _failures(self, url: httpx.URL) -> Iterator[None]:
        """What the HTTP library and the address rules raise, as errors of this provider."""
        try:
            yield
        except ForbiddenAddress as error:
            raise self.error(AddressRefusedError, error.sentence) from error
        except UndecodableError as error:
            raise self.malformed(str(error)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            reason = excerpt(str(error), self._key) or "no answer in time"
            raise self.error(
                UnreachableError, f"host {url.host} could not be reached ({reason})"
            ) from error
        except httpx.TimeoutException as error:
            raise self.error(ProviderTimeoutError) from error
        except httpx.NetworkError as error:
            raise self.cut_off() from error
        except httpx.RemoteProtocolError as error:
            # These two come of a connection that ended, the others of one that speaks no HTTP.
            if str(error).startswith(("Server disconnected", "peer closed connection")):
                raise self.cut_off() from error
            raise self.malformed("it is not HTTP") from error
        except httpx.HTTPError as error:
            raise self.malformed("it is not valid HTTP") from error


def _may_be_of_a_part(status: int, kind: ErrorClass) -> bool:
    """Whether the error may be about a part of the request, without which it would be taken."""
    if kind is OverloadedError:
        return status in _UNCLEAR_STATUSES
    return kind in (BadRequestError, TargetUnusableError)


async def _read_to_end(chunks: AsyncIterator[bytes]) -> None:
    """So that the connection can serve again. The answer is whole: what fails here is no matter."""
    with suppress(ProviderError, TimeoutError):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in chunks:
                pass


def _is_whole(event: ServerSentEvent) -> bool:
    """Whether only the blank line after the event is missing, and nothing of its data."""
    data = event.data.strip()
    if not data.startswith("{"):
        return data == "[DONE]"
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _count_values(raw: bytes | str) -> int:
    """At least as many as the JSON has; commas within texts count as well."""
    if isinstance(raw, str):
        return raw.count(",") + raw.count("[") + raw.count("{")
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _unwrapped(raw: bytes) -> bytes:
    """The one object of a list, as Gemini may send the error of a stream."""
    raw = raw.strip()
    return raw[1:-1] if raw.startswith(b"[") and raw.endswith(b"]") else raw
