"""Firings in the form of the API, which calls them deliveries."""

import json
from typing import Any

from promptops_platform.triggers.schemas import Delivery
from promptops_platform.triggers.tables import FiringRow

# Texts that a caller or a run has provided; the run log shows them where they were used.
UNSHOWN = frozenset({"body", "output"})


def delivery_of(row: FiringRow) -> Delivery:
    """Return a delivery with its event, without the event's texts."""
    event: dict[str, Any] = json.loads(row.event) if row.event else {"type": row.event_type}
    shown = {name: value for name, value in event.items() if name not in UNSHOWN}
    return Delivery.of(row, event=shown, attempts=row.attempts or [])
