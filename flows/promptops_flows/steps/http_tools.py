"""Calls HTTP tools: checks the arguments, sends the request, and reads a bounded response."""

from __future__ import annotations

import asyncio
import codecs
import copy
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import httpx

from promptops_flows.json_schemas import findings
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.steps.tool_urls import ToolUrlError, fill_url, placeholders, value_text
from promptops_providers.answers.storable_texts import storable
from promptops_providers.protocol import Tool
from promptops_providers.transport.address_policy import AddressPolicy, ForbiddenAddress
from promptops_providers.transport.clients import GuardedTransport, Resolve
from promptops_providers.transport.decoding import UndecodableError, decoded

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MAX_TOOL_SECONDS = 300.0
MAX_TOOL_BYTES = 1_048_576
# How much of an error response the model gets to see.
_ERROR_CHARACTERS = 2_000
# Bytes read from the socket, even if they decompress to less than the tool may return.
_MAX_READ_BYTES = 2 * MAX_TOOL_BYTES
# The Python codecs for the text of web pages. Others decompress, escape or take forever.
_CHARSET = re.compile(
    r"ascii|utf-(8|16|32)\S*|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|gb\w+|big5\w*|euc_\w+"
    r"|iso2022_\w+|shift_jis\w*|tis-620"
)
DEFAULT_HEADERS = {
    "accept": "application/json, text/*;q=0.9, */*;q=0.5",
    "accept-encoding": "identity",
    "user-agent": "promptops",
}
# Identifies the run whose step sends a request, so that our own API can detect a loop of triggers.
CAUSE_HEADER = "x-promptops-run"
_QUERY_METHODS = ("GET", "DELETE")
_TIMEOUTS = {"connect": 5.0, "read": None, "write": None, "pool": 5.0}


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A tool that sends a request to `url`; its `{{argument}}` placeholders are filled from the
    call's arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 30.0
    max_response_bytes: int = 65_536

    def as_tool(self) -> Tool:
        """Return the tool as a model sees it."""
        return Tool(self.name, self.description, self.parameters)


class ToolError(Exception):
    """A failed call. `summary` describes it without quoting; the text, for the model, may add a
    quotation and so contain a secret of the tool."""

    def __init__(self, summary: str, quoted: str = "") -> None:
        super().__init__(f"{summary}: {quoted}" if quoted else summary)
        self.summary = summary


class ToolClient:
    """A connection pool for the life of the process, which connects only to addresses that the
    policy allows.

    Not an `httpx.AsyncClient`, because that keeps cookies and would send those of one workspace's
    tool along with another's.
    """

    def __init__(self, policy: AddressPolicy, *, resolve: Resolve | None = None) -> None:
        self._transport = GuardedTransport(policy, resolve=resolve)
        self._run_id = ""

    def of_run(self, run_id: str) -> Self:
        """Return a client with the same pool, whose requests identify the run that they come
        from."""
        client = copy.copy(self)
        client._run_id = run_id
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    @asynccontextmanager
    async def send(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Yield the response, whose body is not read yet; redirects are not followed."""
        request.extensions = {**request.extensions, "timeout": _TIMEOUTS}
        if self._run_id:
            request.headers[CAUSE_HEADER] = self._run_id
        response = await self._transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()


async def call_tool(
    client: ToolClient, tool: HttpTool, arguments: Mapping[str, Any], turns: Turns | None = None
) -> str:
    """Return the tool's response as text; raises `ToolError`, before anything is sent if the
    arguments don't match the schema. The calls of a run share the concurrency limit."""
    turns = turns or Turns()
    wrong = await turns.compare(findings, tool.parameters, dict(arguments))
    if wrong:
        raise ToolError("the arguments don't match the tool's schema", "; ".join(wrong))
    try:
        request = _request(tool, arguments)
        async with asyncio.timeout(tool.timeout_seconds), client.send(request) as response:
            return await _answer(response, tool)
    except TimeoutError:
        sentence = f"the tool did not answer within {tool.timeout_seconds:g} s"
        raise ToolError(sentence) from None
    except (ToolUrlError, ForbiddenAddress) as error:
        raise ToolError(str(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolError(f"the tool can't be reached ({type(error).__name__})") from error


def _request(tool: HttpTool, arguments: Mapping[str, Any]) -> httpx.Request:
    url = httpx.URL(fill_url(tool.url, arguments))
    in_url = placeholders(tool.url)
    rest = {name: value for name, value in sorted(arguments.items()) if name not in in_url}
    headers = {**DEFAULT_HEADERS, **{name.lower(): value for name, value in tool.headers.items()}}
    if tool.method not in _QUERY_METHODS:
        return httpx.Request(tool.method, url, headers=headers, json=rest)
    query = {name: value_text(value) for name, value in rest.items()}
    return httpx.Request(
        tool.method, url.copy_merge_params(query) if query else url, headers=headers
    )


async def _answer(response: httpx.Response, tool: HttpTool) -> str:
    text = await bounded_text(response, tool.max_response_bytes)
    if response.is_success:
        return text
    failure = f"the tool answered HTTP {response.status_code}"
    if response.is_redirect:
        raise ToolError(f"{failure}, and redirects are not followed")
    raise ToolError(failure, text[:_ERROR_CHARACTERS])


async def bounded_text(response: httpx.Response, limit: int) -> str:
    """Return the body's text, cut after `limit` bytes; raises `ToolError`."""
    charset = _charset(response)
    body = b""
    try:
        async with aclosing(decoded(response, _MAX_READ_BYTES)) as portions:
            async for portion in portions:
                body += portion
                if len(body) > limit:
                    break
    except UndecodableError as error:
        raise ToolError(f"the tool's answer could not be read: {error}") from error
    text = storable(body[:limit].decode(charset, errors="replace"))
    return text if len(body) <= limit else f"{text}\n[cut off after {limit:,} bytes]"


def _charset(response: httpx.Response) -> str:
    """Return the codec; raises `ToolError` for an unknown charset, because Python's codecs do more
    than decode text."""
    name = response.charset_encoding
    if not name:
        return "utf-8"
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        codec = ""
    if not _CHARSET.fullmatch(codec):
        raise ToolError(f"the tool answered in the charset {name[:40]!r}, which is unknown")
    return codec
