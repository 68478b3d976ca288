"""The messages for watchers as ready WebSocket frames: servers don't mask frames, so all watchers
get the same one."""

import json
from typing import Any

from websockets.frames import Frame, Opcode

from promptops_platform.changes.schemas import Change
from promptops_platform.runlog.events import RunEvent

RESYNC = "resync"
PING = Frame(Opcode.PING, b"ping").serialize(mask=False)


def event(change: Change) -> bytes:
    """Return an event in the form of existing clients."""
    return _frame(_fields(change))


def console_event(change: Change) -> bytes:
    """Return an event for a console, which shows several workspaces."""
    return _frame({**_fields(change), "workspace": change.workspace_id})


def console_resync() -> bytes:
    """Make a console fetch everything again: its rights have changed, or the events that it missed
    are unknown."""
    return _frame({"type": RESYNC})


def run_event(event: RunEvent) -> bytes:
    """Return an event about a run for consoles; without an `id` it is about many runs of the
    workspace."""
    return _frame(
        {
            "type": event.type,
            "id": event.id,
            "key": event.ref_key,
            "workspace": event.workspace_id,
            "source": event.source,
            "status": event.status,
        }
    )


def numbered_event(revision: int, change: Change) -> bytes:
    """Return an event for a client that resumes."""
    return _frame({**_fields(change), "revision": revision})


def hello(epoch: str, revision: int, heartbeat_seconds: int) -> bytes:
    """Return the first message to a client that resumes."""
    return _frame(
        {
            "type": "hello",
            "epoch": epoch,
            "revision": revision,
            "heartbeat_seconds": heartbeat_seconds,
        }
    )


def heartbeat(revision: int) -> bytes:
    """Return the message that everything up to this revision that concerns the connection has been
    sent."""
    return _frame({"type": "heartbeat", "revision": revision})


def resync(epoch: str, revision: int) -> bytes:
    """Make a client fetch everything again, because the events that it missed are unknown. Later
    events follow."""
    return _frame({"type": RESYNC, "epoch": epoch, "revision": revision})


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
