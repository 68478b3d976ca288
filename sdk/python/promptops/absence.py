"""Tells PromptOps' own 404 for a missing prompt from any other 404."""

from __future__ import annotations

from typing import Any

from promptops.bounded_json import MOST_CONTAINERS_OF_MESSAGE, parse_json
from promptops.errors import ProtocolError

CODE = "not_found"


def states_absence(body: bytes, epoch: str | None, server_has_epochs: bool) -> bool:
    """Whether a 404 means that the prompt does not exist; gateways and other servers have other
    bodies.

     It requires the header with the epoch and the code ``not_found``. Older servers send neither:
    without any known epoch, a body that has only a text ``error`` is accepted.
    """
    body_json = _json_object(body)
    if not isinstance(body_json.get("error"), str):
        return False
    if epoch:
        return bool(body_json.get("code") == CODE)
    is_plain = set(body_json) <= {"error", "code"} and body_json.get("code", CODE) == CODE
    return is_plain and not server_has_epochs


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        body_json = parse_json(body, MOST_CONTAINERS_OF_MESSAGE)
    # A proxy or another server may respond in its own format.
    except ProtocolError:
        return {}
    return body_json if isinstance(body_json, dict) else {}
