"""Calls of HTTP tools: check the arguments, send the request, read a bounded answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from promptops_flows.agents import HttpTool
from promptops_flows.json_schemas import findings
from promptops_flows.tool_urls import ToolUrlError, fill_url, placeholders, value_text

# What of a failing answer the model is told.
_ERROR_CHARACTERS = 2_000
_QUERY_METHODS = ("GET", "DELETE")


class ToolError(Exception):
    """A call that brought nothing; the text is for the model, and may hold a secret of the tool."""


async def call_tool(client: httpx.AsyncClient, tool: HttpTool, arguments: Mapping[str, Any]) -> str:
    """The text that the tool answers; raises `ToolError`, before anything was sent where the
    arguments don't fit."""
    # On a thread: the schema and the arguments may be large.
    wrong = await asyncio.to_thread(findings, tool.parameters, dict(arguments))
    if wrong:
        raise ToolError(f"the arguments don't fit the tool's schema: {'; '.join(wrong)}")
    request = _request(client, tool, arguments)
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            return await _answer(client, request, tool)
    except TimeoutError:
        sentence = f"the tool did not answer within {tool.timeout_seconds:g} s"
        raise ToolError(sentence) from None
    except httpx.HTTPError as error:
        raise ToolError(f"the tool can't be reached ({type(error).__name__})") from error


def _request(
    client: httpx.AsyncClient, tool: HttpTool, arguments: Mapping[str, Any]
) -> httpx.Request:
    try:
        url = fill_url(tool.url, arguments)
    except ToolUrlError as error:
        raise ToolError(str(error)) from error
    rest = {name: arguments[name] for name in arguments.keys() - placeholders(tool.url)}
    # Not compressed: a small answer could unpack to a huge one.
    headers = {"accept": "application/json, text/*;q=0.9, */*;q=0.5", **tool.headers}
    headers["accept-encoding"] = "identity"
    if tool.method not in _QUERY_METHODS:
        return client.build_request(tool.method, url, json=rest, headers=headers)
    request = client.build_request(tool.method, url, headers=headers)
    query = {name: value_text(value) for name, value in sorted(rest.items())}
    if query:
        request.url = request.url.copy_merge_params(query)
    return request


async def _answer(client: httpx.AsyncClient, request: httpx.Request, tool: HttpTool) -> str:
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        text = await _bounded_text(response, tool.max_response_bytes)
    finally:
        await response.aclose()
    if response.is_success:
        return text
    said = f"the tool answered HTTP {response.status_code}"
    if response.is_redirect:
        raise ToolError(f"{said}, and redirects are not followed")
    raise ToolError(f"{said}: {text[:_ERROR_CHARACTERS]}" if text else said)


async def _bounded_text(response: httpx.Response, limit: int) -> str:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ToolError("the tool answered in a compressed form, which was not asked for")
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limit:
            break
    text = body[:limit].decode(response.encoding or "utf-8", errors="replace")
    return text if len(body) <= limit else f"{text}\n[cut off after {limit:,} bytes]"
