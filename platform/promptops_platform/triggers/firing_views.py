"""Firings as the API shows them, by the name of deliveries."""

import json
from typing import Any

from promptops_platform.triggers.schemas import Delivery
from promptops_platform.triggers.tables import FiringRow

# Whatever somebody has sent, or a run has brought: where they were used, the run log has them.
UNSHOWN = frozenset({"body", "output"})


def delivery_of(row: FiringRow) -> Delivery:
    """The event without its texts."""
    event: dict[str, Any] = json.loads(row.event) if row.event else {"type": row.event_type}
    shown = {name: value for name, value in event.items() if name not in UNSHOWN}
    return Delivery.of(row, event=shown, attempts=row.attempts or [])
