"""Links that decide once, without an account."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from promptops_flows.steps.approval import Decision
from promptops_platform.access.actor import LINK, Actor
from promptops_platform.access.permissions import Role
from promptops_platform.access.token_guesses import TokenGuesses
from promptops_platform.access.tokens import new_link_token, token_hash
from promptops_platform.approvals import repository
from promptops_platform.approvals.deciders import Deciders, deciders_of
from promptops_platform.approvals.deciding import ApprovalDecisions, Verdict, refuse_decided
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.approvals.tables import ApprovalLinkRow, ApprovalRow
from promptops_platform.audit.service import AuditTrail
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import Conflict, Forbidden, NotFound, TooManyRequests
from promptops_platform.http.secret_paths import APPROVAL_LINKS, APPROVAL_PAGES

# For approvals without a deadline.
LONGEST_LIFE = timedelta(days=7)


class NewLink(NamedTuple):
    """A new link; its address is shown only once."""

    url: str
    page_url: str
    expires_at: datetime


class ApprovalLinks:
    """A link's token is random and stored as a hash. Its holder decides once, in the name of the
    person who created it; `base_url` is the platform's address as people reach it."""

    def __init__(
        self,
        *,
        database: Database,
        approvals: ApprovalService,
        deciders: Deciders,
        decisions: ApprovalDecisions,
        audit: AuditTrail,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._deciders = deciders
        self._decisions = decisions
        self._audit = audit
        self._clock = clock
        self._base_url = base_url
        self._guesses = TokenGuesses(clock)

    async def make(self, transaction: Transaction, approval_id: str, *, actor: Actor) -> NewLink:
        """Create a link that is valid until the deadline. Raises NotFound, Forbidden for somebody
        who may not decide, and Conflict if the definition allows no links or the approval is
        decided."""
        row = await self._approvals.get(transaction, approval_id, actor=actor)
        if not self._deciders.may_decide(row, actor=actor):
            raise Forbidden(f"forbidden: {deciders_of(row)} may create a link")
        refuse_decided(row)
        if not row.allow_link:
            raise Conflict(f"step {row.step!r} has no allow_link; decide with an account")
        token, now = new_link_token(), self._clock.now()
        expires_at = row.deadline_at or now + LONGEST_LIFE
        transaction.session.add(
            ApprovalLinkRow(
                token_hash=token_hash(token),
                approval_id=row.id,
                made_by=actor.name,
                expires_at=expires_at,
            )
        )
        self._audit.record(
            transaction,
            actor=actor,
            action="link",
            resource="approval",
            resource_id=row.id,
            key=row.workflow,
            summary=f"created a link that decides step {row.position} of run {row.run_id}",
            workspace_id=row.workspace_id,
            after={"expires_at": expires_at.isoformat()},
        )
        url, page_url = (
            f"{self._base_url}{path}/{token}" for path in (APPROVAL_LINKS, APPROVAL_PAGES)
        )
        return NewLink(url, page_url, expires_at)

    async def open(self, token: str, *, address: str) -> tuple[ApprovalRow, ApprovalLinkRow]:
        """Return the approval of a link. Raises NotFound, also for a link that has expired or was
        used, and TooManyRequests if somebody guesses tokens."""
        async with self._database.read() as transaction:
            link = await repository.link(transaction.session, token_hash(token))
            row = (
                None
                if link is None
                else await repository.get(transaction.session, link.approval_id)
            )
        if link is None or row is None or link.expires_at <= self._clock.now():
            seconds = self._guesses.count(token_hash(token), address)
            if seconds:
                raise TooManyRequests("too many invalid links were tried", retry_after=seconds)
            raise NotFound("this link is invalid: it was used, has expired, or never existed")
        return row, link

    async def decide(
        self,
        token: str,
        decision: Decision,
        comment: str,
        values: dict[str, Any],
        *,
        address: str,
        request_id: str,
    ) -> ApprovalRow:
        """Decide with a link, which becomes invalid; raises what `open` and
        `ApprovalDecisions.decide` raise."""
        row, link = await self.open(token, address=address)
        verdict = Verdict(decision, f"a link of {link.made_by}", comment, values)
        actor = Actor(LINK, Role.VIEWER, address=address, request_id=request_id)
        return await self._decisions.record(row, verdict, actor=actor)
