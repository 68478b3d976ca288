"""Fires triggers for consecutive failed calls of a provider."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.ids import new_id
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_platform.triggers.events import CONNECTION_FAILING, Event
from promptops_platform.triggers.firing import FiringRecorder
from promptops_platform.triggers.mirror import TriggerMirror

LONGEST_ERROR = 2_000


class ConnectionHealth:
    """Counts the failed calls of this replica's runs. A trigger fires when its number is reached,
    and again only after a successful call."""

    def __init__(self, mirror: TriggerMirror, recorder: FiringRecorder) -> None:
        self._mirror = mirror
        self._recorder = recorder
        # Keyed by workspace and connection.
        self._failures: Counter[tuple[str, str]] = Counter()

    def run_ended(self, transaction: Transaction, row: RunRow, steps: Sequence[RunStepRow]) -> None:
        """Count the calls of a run whose end is about to be committed."""
        if not self._mirror.waits_for((CONNECTION_FAILING,)):
            self._failures.clear()
            return
        for step in steps:
            if step.provider:
                self._called(transaction, row, step)

    def _called(self, transaction: Transaction, row: RunRow, step: RunStepRow) -> None:
        place = (row.workspace_id, step.provider)
        if step.error is None:
            del self._failures[place]
            return
        self._failures[place] += 1
        fields = {
            "connection": step.provider,
            "model": step.model,
            "failures": self._failures[place],
            "error": step.error[:LONGEST_ERROR],
            "run_id": row.id,
        }
        causes = tuple(row.causes or ())
        event = Event(CONNECTION_FAILING, new_id(), row.workspace_id, fields, causes)
        triggers = [
            trigger
            for trigger in self._mirror.matching(event)
            if trigger.condition["failures"] == self._failures[place]
        ]
        if triggers:
            transaction.before_commit(partial(self._recorder.write, transaction, triggers, event))
