"""Which methods the routes of a path take."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def takes(routes: Iterable[BaseRoute], scope: Scope, method: str) -> bool:
    """Whether a route takes the request's path with `method`."""
    as_asked = {**scope, "method": method}
    return any(route.matches(as_asked)[0] is Match.FULL for route in routes)


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """The value of the header `Allow`; empty where no route has this path."""
    listed = list(routes)
    return allow_value([method for method in METHODS if takes(listed, scope, method)])


def allow_value(methods: list[str]) -> str:
    """Where there is `GET` there is `HEAD`, and `OPTIONS` wherever there is anything."""
    if not methods:
        return ""
    with_head = ["GET", "HEAD", *methods[1:]] if methods[0] == "GET" else methods
    return ", ".join([*with_head, "OPTIONS"])
