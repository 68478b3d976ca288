"""The rows of the table, and the requests that they send."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from harness.platform import RunningPlatform

OTHER_PASSWORD = "another password for tests"


STEP_SECRET = "sk-of-a-step"


CONNECTION_SECRET = "sk-of-a-connection"


class Call(NamedTuple):
    """A request to send; without a `token` with the static one, of `admin`."""

    path: str
    body: dict[str, Any] | None = None
    token: str | None = None
    actor: str = "admin"
    status: int = 200


class Row(NamedTuple):
    """The audit entries of a route, by action, and the function that prepares its request."""

    actions: tuple[str, ...]
    prepare: Callable[[RunningPlatform], Awaitable[Call]]


Route = tuple[str, str]


ROWS: dict[Route, Row] = {}


Preparing = Callable[[RunningPlatform], Awaitable[Call]]


def row(method: str, path: str, *actions: str) -> Callable[[Preparing], Preparing]:
    def add(prepare: Preparing) -> Preparing:
        ROWS[method, path] = Row(actions, prepare)
        return prepare

    return add
