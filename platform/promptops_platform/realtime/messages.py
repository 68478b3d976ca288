"""What watchers are sent, as ready WebSocket frames: a server masks none, so one serves all."""

import json
from typing import Any

from websockets.frames import Frame, Opcode

from promptops_platform.changes.schemas import Change

PING = Frame(Opcode.PING, b"ping").serialize(mask=False)


def event(change: Change) -> bytes:
    """An event as existing clients know it."""
    return _frame(_fields(change))


def numbered_event(revision: int, change: Change) -> bytes:
    """An event for a client that resumes."""
    return _frame({**_fields(change), "revision": revision})


def hello(epoch: str, revision: int, heartbeat_seconds: int) -> bytes:
    """The first message to a client that resumes."""
    return _frame(
        {
            "type": "hello",
            "epoch": epoch,
            "revision": revision,
            "heartbeat_seconds": heartbeat_seconds,
        }
    )


def heartbeat(revision: int) -> bytes:
    """Everything up to this revision that concerns the connection has been sent."""
    return _frame({"type": "heartbeat", "revision": revision})


def resync(epoch: str, revision: int) -> bytes:
    """What was missed can't be told; what happens after this revision follows."""
    return _frame({"type": "resync", "epoch": epoch, "revision": revision})


def _fields(change: Change) -> dict[str, Any]:
    return {
        "type": change.type,
        "id": change.resource_id,
        "key": change.key,
        "env": change.env,
        "version": change.version,
    }


def _frame(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
