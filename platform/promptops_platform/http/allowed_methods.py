"""The methods that the routes of a path support."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def takes(routes: Iterable[BaseRoute], scope: Scope, method: str) -> bool:
    """Whether a route handles the request's path with `method`."""
    as_asked = {**scope, "method": method}
    return any(route.matches(as_asked)[0] is Match.FULL for route in routes)


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """Return the value of the header `Allow`; empty if no route has this path."""
    listed = list(routes)
    return allow_value([method for method in METHODS if takes(listed, scope, method)])


def allow_value(methods: list[str]) -> str:
    """`GET` implies `HEAD`, and any method implies `OPTIONS`."""
    if not methods:
        return ""
    with_head = ["GET", "HEAD", *methods[1:]] if methods[0] == "GET" else methods
    return ", ".join([*with_head, "OPTIONS"])
