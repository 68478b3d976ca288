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
    """A template that can't be used, or a URL that the arguments don't allow; says what to do."""


def check_url(template: str, parameters: Mapping[str, Any]) -> None:
    """Raises `ToolUrlError` unless the arguments of this schema always make a whole URL of it."""
    plain = _PLACEHOLDER.sub("x", template)
    if "{{" in plain or "}}" in plain:
        raise ToolUrlError("has braces that hold no name; write {{argument}}")
    if _REFUSED.search(plain):
        raise ToolUrlError("holds a blank, a backslash or a control character; encode it with %")
    try:
        parts = urlsplit(plain)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ToolUrlError(f"is not a URL ({error}); write https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ToolUrlError("must begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ToolUrlError("holds a login, which everybody could read; leave it out")
    if "#" in plain:
        raise ToolUrlError("has a fragment, which is never sent; leave out the # and what follows")
    _check_placeholders(template, parameters)


def placeholders(template: str) -> frozenset[str]:
    """Names of the arguments that stand in the template."""
    return frozenset(_PLACEHOLDER.findall(template))


def fill_url(template: str, arguments: Mapping[str, Any]) -> str:
    """The template with the arguments, percent-encoded, so that none of them can add to the path's
    folders, to the query's fields, or lead anywhere else. Raises `ToolUrlError`."""
    path, mark, query = template.partition("?")
    authority_end = _authority_end(path)
    filled = _filled(path[authority_end:], arguments)
    for segment, pattern in zip(filled.split("/"), path[authority_end:].split("/"), strict=True):
        if segment in _DOTS and _PLACEHOLDER.search(pattern):
            raise ToolUrlError(
                f"the arguments make a part of the URL's path {segment!r}, which names another "
                "place; give them a value"
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
    """Where the path begins, after scheme and host."""
    slash = path.find("/", path.find("://") + 3)
    return len(path) if slash < 0 else slash


def _filled(text: str, arguments: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: _encoded(arguments[match[1]]), text)


def _encoded(value: Any) -> str:
    return quote(value_text(value), safe="", errors="replace")


def value_text(value: Any) -> str:
    """An argument as a text: as it is, a number's digits, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        # Exact, where a template rounds: it may be an id.
        return str(value)
    return number_text(value) if isinstance(value, float) else json_text(value)
