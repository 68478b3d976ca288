"""The URL of an HTTP tool: a template with `{{argument}}` in its path and query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from promptops_flows.templates.ecmascript import json_text, number_text

MAX_URL_CHARACTERS = 2_000
_PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\}\}")
_REFUSED = re.compile(r"[\s\x00-\x1f\x7f\\]")
_DOTS = ("", ".", "..")


class ToolUrlError(ValueError):
    """An invalid template, or a URL that the arguments make invalid; the message says what to
    do."""


def check_url(template: str, parameters: Mapping[str, Any]) -> None:
    """Raises `ToolUrlError` unless all arguments that the schema allows result in a whole URL."""
    plain = _PLACEHOLDER.sub("x", template)
    if "{{" in plain or "}}" in plain:
        raise ToolUrlError("has braces without a name; write {{argument}}")
    if _REFUSED.search(plain):
        raise ToolUrlError("contains a space, a backslash or a control character; encode it with %")
    try:
        parts = urlsplit(plain)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ToolUrlError(f"is not a URL ({error}); write https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ToolUrlError("must begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ToolUrlError(
            "contains a user name or password, which everybody could read; leave it out"
        )
    if "#" in plain:
        raise ToolUrlError("has a fragment, which is never sent; leave out the # and what follows")
    _check_placeholders(template, parameters)


def placeholders(template: str) -> frozenset[str]:
    """The names of the arguments in the template."""
    return frozenset(_PLACEHOLDER.findall(template))


def fill_url(template: str, arguments: Mapping[str, Any]) -> str:
    """The template with percent-encoded arguments, so that none of them can add path segments or
    query fields, or change the target. Raises `ToolUrlError`."""
    path, mark, query = template.partition("?")
    authority_end = _authority_end(path)
    filled = _filled(path[authority_end:], arguments)
    for segment, pattern in zip(filled.split("/"), path[authority_end:].split("/"), strict=True):
        if segment in _DOTS and _PLACEHOLDER.search(pattern):
            raise ToolUrlError(
                f"the arguments result in the URL path segment {segment!r}, which changes its "
                "target; give them a value"
            )
    return path[:authority_end] + filled + mark + _filled(query, arguments)


def _check_placeholders(template: str, parameters: Mapping[str, Any]) -> None:
    path = template.partition("?")[0]
    if _PLACEHOLDER.search(path[: _authority_end(path)]):
        raise ToolUrlError(
            "has an argument in its host; arguments are allowed in the path and the query"
        )
    required = parameters.get("required")
    names = (
        {name for name in required if isinstance(name, str)}
        if isinstance(required, list)
        else set()
    )
    missing = sorted(placeholders(template) - names)
    if missing:
        raise ToolUrlError(
            f"needs the argument {missing[0]!r}, which the parameters' `required` does not name; "
            "add it there"
        )


def _authority_end(path: str) -> int:
    """The position where the path begins, after scheme and host."""
    slash = path.find("/", path.find("://") + 3)
    return len(path) if slash < 0 else slash


def _filled(text: str, arguments: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: _encoded(arguments[match[1]]), text)


def _encoded(value: Any) -> str:
    return quote(value_text(value), safe="", errors="replace")


def value_text(value: Any) -> str:
    """An argument as text: a text unchanged, a number's digits, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        # Exact, while a template rounds: the number may be an id.
        return str(value)
    return number_text(value) if isinstance(value, float) else json_text(value)
