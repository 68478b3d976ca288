"""The messages for watchers as ready WebSocket frames: a server does not mask its frames, so all
watchers get the same one."""

import json
from typing import Any

from websockets.frames import Frame, Opcode

from promptops_platform.changes.schemas import Change
from promptops_platform.runlog.events import RunEvent

RESYNC = "resync"
PING = Frame(Opcode.PING, b"ping").serialize(mask=False)


def event(change: Change) -> bytes:
    """An event as existing clients know it."""
    return _frame(_fields(change))


def console_event(change: Change) -> bytes:
    """An event for a console, which shows several workspaces."""
    return _frame({**_fields(change), "workspace": change.workspace_id})


def console_resync() -> bytes:
    """Makes a console ask for everything anew: what it may see has changed, or the events that it
    missed are unknown."""
    return _frame({"type": RESYNC})


def run_event(event: RunEvent) -> bytes:
    """An event about a run for consoles; without an `id` it is about many runs of the workspace."""
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
    """Makes a client fetch everything anew: the events that it missed are unknown. Those after this
    revision follow."""
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
