"""What a row of the table is, and what its calls send."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from harness.platform import RunningPlatform

OTHER_PASSWORD = "another password for tests"


STEP_SECRET = "sk-of-a-step"


CONNECTION_SECRET = "sk-of-a-connection"


class Call(NamedTuple):
    """A request that is about to be sent; without a `token` by the static one, of `admin`."""

    path: str
    body: dict[str, Any] | None = None
    token: str | None = None
    actor: str = "admin"
    status: int = 200


class Row(NamedTuple):
    """What a route enters, by action, and what prepares a call of it."""

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
