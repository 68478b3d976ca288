"""`http`: sends an HTTP request, to the addresses that HTTP tools may call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, cast, get_args
from urllib.parse import quote

import httpx

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import KindSchema, choice, described, needed_text
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.http_tools import (
    DEFAULT_HEADERS,
    MAX_TOOL_BYTES,
    Method,
    ToolError,
    bounded_text,
)
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_flows.steps.step import Action, ParseContext, Template, rendered
from promptops_flows.steps.tool_headers import (
    LONGEST_HEADER,
    MOST_HEADERS,
    HeaderError,
    check_headers,
)
from promptops_flows.steps.tool_urls import MAX_URL_CHARACTERS
from promptops_flows.steps.values import rendered_value, value_templates
from promptops_flows.templates.language import value_text
from promptops_flows.templates.references import MissingOutputError, Scope, fill_names, only_name
from promptops_providers.transport.address_policy import ForbiddenAddress

_SECONDS = 60.0
_QUOTED_CHARACTERS = 2_000
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_WITHOUT_BODY = ("GET", "DELETE")


@dataclass(frozen=True, slots=True)
class CallHttp(Action):
    """`url` and the texts in `headers` and `body` are templates. Values in the URL are
    percent-encoded so that they can't change its target, unless a value is the whole URL."""

    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    type: ClassVar[str] = "http"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "method": described(choice(*get_args(Method)), "`GET` by default."),
            "url": described(needed_text(MAX_URL_CHARACTERS), "A template."),
            "headers": {
                "type": ["object", "null"],
                "maxProperties": MOST_HEADERS,
                "additionalProperties": {"type": "string", "maxLength": LONGEST_HEADER},
                "description": "Templates.",
            },
            "body": {"description": "A template, or JSON whose texts are templates."},
        },
        required=("url",),
        description="Sends an HTTP request, to the addresses that HTTP tools may call.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        method = cast("Method", fields.choice("method", get_args(Method), default="GET"))
        url = fields.text("url", MAX_URL_CHARACTERS).strip()
        complaint = _complaint(url) if url else "is missing, write https://host/path"
        if complaint:
            raise fields.error("url", complaint)
        headers = fields.mapping("headers")
        try:
            check_headers(headers)
        except HeaderError as error:
            raise fields.error("headers", str(error)) from error
        body = fields.value("body")
        if len(json.dumps(body)) > MAX_TEMPLATE_CHARACTERS:
            raise fields.error("body", f"has more than {MAX_TEMPLATE_CHARACTERS:,} characters")
        if body is not None and method in _WITHOUT_BODY:
            raise fields.error("body", f"can't be sent with {method}, use POST, PUT or PATCH")
        return cls(method, url, headers, body)

    def templates(self) -> Iterable[Template]:
        yield Template("url", self.url)
        yield from value_templates("headers", self.headers)
        yield from value_templates("body", self.body)

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        request = await asyncio.to_thread(self._request, scope)
        try:
            async with asyncio.timeout(_SECONDS), context.http.send(request) as response:
                text = await bounded_text(response, MAX_TOOL_BYTES)
        except TimeoutError:
            sentence = f"{request.url.host} did not answer within {_SECONDS:g} s"
            raise StepError(sentence, retryable=True) from None
        except (ForbiddenAddress, ToolError) as error:
            raise StepError(str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            sentence = f"{request.url.host} can't be reached ({type(error).__name__})"
            raise StepError(sentence, retryable=True) from error
        if not response.is_success:
            raise _failure(response, text)
        return StepOutput(text, value=await asyncio.to_thread(_json, response, text))

    def _request(self, scope: Scope) -> httpx.Request:
        headers = {name.lower(): rendered(text, scope) for name, text in self.headers.items()}
        try:
            check_headers(headers)
            url = httpx.URL(self._url(scope))
        except (HeaderError, httpx.InvalidURL, MissingOutputError) as error:
            raise StepError(f"the request can't be made: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise StepError("the URL must begin with http:// or https:// and a host")
        content: dict[str, Any] = {}
        if isinstance(self.body, str):
            content = {"content": rendered(self.body, scope).encode(errors="replace")}
        elif self.body is not None:
            content = {"json": rendered_value(self.body, scope)}
        return httpx.Request(self.method, url, headers={**DEFAULT_HEADERS, **headers}, **content)

    def _url(self, scope: Scope) -> str:
        if only_name(self.url):
            return rendered(self.url, scope).strip()
        return fill_names(
            self.url,
            lambda name: (
                None
                if (value := scope.get(name)) is None
                else quote(value_text(value), safe="", errors="replace")
            ),
        )


def _complaint(url: str) -> str | None:
    if only_name(url):
        return None
    plain = fill_names(url, lambda _: "x")
    host_end = plain.find("/", plain.find("://") + 3)
    if not plain.startswith(("http://", "https://")):
        return "must begin with http:// or https:// and a host"
    if "{{" in url[: url.find("/", url.find("://") + 3) if host_end >= 0 else len(url)]:
        return "has a placeholder in its host; placeholders are allowed in the path and the query"
    try:
        parts = httpx.URL(plain)
    except httpx.InvalidURL as error:
        return f"is not a URL ({error}); write https://host/path"
    if parts.userinfo:
        return "contains a user name or password, which everybody could read; leave it out"
    return None


def _failure(response: httpx.Response, text: str) -> StepError:
    summary = f"the server answered HTTP {response.status_code}"
    if response.is_redirect:
        return StepError(f"{summary}, and redirects are not followed")
    wait = response.headers.get("retry-after", "")
    return StepError(
        f"{summary}: {text[:_QUOTED_CHARACTERS]}" if text else summary,
        summary,
        retryable=response.status_code in _BUSY,
        retry_after=min(float(wait), 3600.0) if wait.isascii() and wait.isdigit() else None,
    )


def _json(response: httpx.Response, text: str) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
