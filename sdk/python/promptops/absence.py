"""Whether a 404 is PromptOps' own statement that a prompt does not exist."""

from __future__ import annotations

from typing import Any

from promptops.bounded_json import MOST_CONTAINERS_OF_MESSAGE, parse_json
from promptops.errors import ProtocolError

CODE = "not_found"


def says_absent(body: bytes, epoch: str | None, server_has_epochs: bool) -> bool:
    """Whether the body of a 404 counts; gateways and other servers have shapes of their own.

    It counts with the header of the epoch and the code ``not_found``. Older servers send neither:
    where no epoch was ever seen, a body of a text ``error`` alone counts.
    """
    answer = _json_object(body)
    if not isinstance(answer.get("error"), str):
        return False
    if epoch:
        return bool(answer.get("code") == CODE)
    is_plain = set(answer) <= {"error", "code"} and answer.get("code", CODE) == CODE
    return is_plain and not server_has_epochs


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = parse_json(body, MOST_CONTAINERS_OF_MESSAGE)
    # Whatever stands between (a proxy, another server) answers in its own format.
    except ProtocolError:
        return {}
    return answer if isinstance(answer, dict) else {}
