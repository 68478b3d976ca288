"""Events of runs as signals between replicas."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import structlog

from promptops_platform.runlog.events import RunEvent

log = structlog.get_logger(__name__)

SIGNAL = "runs"


def packed(events: Sequence[RunEvent], most_bytes: int) -> Iterator[str]:
    """Pack these events into signals."""
    waiting: list[str] = []
    size = len(SIGNAL) + 3
    for event in events:
        text = json.dumps(asdict(event), ensure_ascii=False, separators=(",", ":"))
        length = len(text.encode()) + 1
        if waiting and size + length > most_bytes:
            yield f"{SIGNAL} [{','.join(waiting)}]"
            waiting, size = [], len(SIGNAL) + 3
        waiting.append(text)
        size += length
    if waiting:
        yield f"{SIGNAL} [{','.join(waiting)}]"


def unpacked(signal: str) -> list[RunEvent]:
    """Return the events of a signal; none if it is another signal, or from another release."""
    name, _, text = signal.partition(" ")
    if name != SIGNAL:
        return []
    try:
        return [RunEvent(**fields) for fields in json.loads(text)]
    except (TypeError, ValueError):
        log.warning("run_events_not_understood")
        return []
