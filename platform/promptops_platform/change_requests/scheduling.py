"""Applies change requests at a given time, with a timer that Prefect keeps."""

from datetime import datetime

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.change_requests import repository
from promptops_platform.change_requests.applying import Applying
from promptops_platform.change_requests.journal import RequestJournal
from promptops_platform.change_requests.proposals import Proposals
from promptops_platform.change_requests.rights import Rights, require_open
from promptops_platform.change_requests.schemas import ChangeRequestDetail
from promptops_platform.change_requests.service import ChangeRequestService
from promptops_platform.change_requests.tables import OPEN, TIMER
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.timers import Timers
from promptops_platform.errors import BadRequest, PlatformError


class RequestSchedule:
    """Sets and cancels the timers, and applies requests that are due."""

    def __init__(
        self,
        *,
        requests: ChangeRequestService,
        applying: Applying,
        proposals: Proposals,
        rights: Rights,
        timers: Timers,
        journal: RequestJournal,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._applying = applying
        self._proposals = proposals
        self._rights = rights
        self._timers = timers
        self._journal = journal
        self._clock = clock

    async def schedule(
        self, transaction: Transaction, request_id: str, at: datetime | None, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Schedule an open request to be applied, if it has its approvals by then; None cancels
        this.

        Raises BadRequest for a time in the past, Forbidden for callers who may not apply it, and
        NotOpen.
        """
        row, environment = await self._requests.locked(transaction, request_id, actor)
        require_open(row)
        self._rights.require_change(row, environment, actor)
        if at is not None and at <= self._clock.now():
            raise BadRequest(
                f"apply_at: {at.isoformat()} is in the past; send a later time, or apply the "
                "request now"
            )
        if at is None:
            await self._timers.cancel(transaction, TIMER, row.id)
        else:
            await self._timers.set(transaction, TIMER, row.id, at)
        row.apply_at = at
        comment = at.isoformat() if at else ""
        action = "schedule" if at else "unschedule"
        self._journal.record(transaction, row, action, actor, comment)
        return await self._requests.get(transaction, row.id, actor=actor)

    async def on_time(self, transaction: Transaction, request_id: str) -> None:
        """Apply a request that is due; if that fails, its events say why."""
        row = await repository.get(transaction.session, request_id)
        if row is None or row.state != OPEN:
            return
        row.apply_at = None
        await transaction.session.flush()
        try:
            # Tried out first: a failure midway would leave changes in this transaction.
            await self._proposals.try_out(transaction, row, SYSTEM)
            await self._applying.apply(transaction, request_id, actor=SYSTEM)
        except PlatformError as error:
            row, _ = await self._requests.locked(transaction, request_id, SYSTEM)
            summary = f"not applied at its time: {error.sentence}"
            self._journal.record(
                transaction, row, "apply_failed", SYSTEM, error.sentence, summary=summary
            )
