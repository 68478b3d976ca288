"""Who may do what with a change request."""

from collections.abc import Collection, Mapping

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.change_requests.served import GuardedKind
from promptops_platform.change_requests.tables import OPEN, ChangeRequestRow
from promptops_platform.errors import Conflict, Forbidden, PlatformError
from promptops_platform.workspaces.tables import EnvironmentRow

ACTIONS = ("approve", "reject", "apply", "bypass", "schedule", "withdraw", "refresh", "comment")


class NotOpen(Conflict):
    """The request was already applied, rejected or withdrawn."""

    code = "change_request_closed"


class Outdated(Conflict):
    """The state that the request is based on has changed since."""

    code = "change_request_outdated"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; refresh the request, which asks for the approvals again")


class Rights:
    """Checks rights, with reasons for refusals."""

    def __init__(self, grants: Grants, kinds: Mapping[str, GuardedKind]) -> None:
        self._grants = grants
        self._kinds = kinds

    def require_change(
        self, row: ChangeRequestRow, environment: EnvironmentRow | None, actor: Actor
    ) -> None:
        """Raises Forbidden for callers who may not change what the environment serves."""
        require_environment(actor, row.env)
        self._grants.require(actor, self._kinds[row.kind].write, row.workspace_id)
        if environment is not None and environment.protected:
            self._grants.require(actor, Permission.PROMPTS_PROTECTED, row.workspace_id)

    def require_vote(
        self, row: ChangeRequestRow, environment: EnvironmentRow | None, actor: Actor, verb: str
    ) -> None:
        """Raises Forbidden for the author, for API keys and the static token, which aren't people,
        and for callers who could not make the change themselves."""
        if actor.caller_id == row.author_id:
            other = "withdraw" if verb == "reject" else "change"
            raise Forbidden(
                f"forbidden: you have proposed this change, so somebody else has to {verb} it; "
                f"you can {other} it"
            )
        if actor.user_id is None:
            raise Forbidden(
                f"forbidden: only people {verb} change requests; log in with an account instead of "
                "an API key or the static token"
            )
        self.require_change(row, environment, actor)

    def require_author(self, row: ChangeRequestRow, actor: Actor, verb: str) -> None:
        """Raises Forbidden for everybody but the author; admins may withdraw any request."""
        self._grants.require(actor, self._kinds[row.kind].write, row.workspace_id)
        if actor.caller_id == row.author_id:
            return
        is_admin = self._grants.has(actor, Permission.PROMPTS_PROTECTED, row.workspace_id)
        if verb == "refresh" or not is_admin:
            who = "its author" if verb == "refresh" else "its author or an admin"
            raise Forbidden(f"forbidden: only {who} may {verb} this request: {row.author}")

    def require_bypass(
        self, row: ChangeRequestRow, environment: EnvironmentRow | None, actor: Actor
    ) -> None:
        """Raises Forbidden if the environment doesn't allow it or the caller is not an admin."""
        self.require_change(row, environment, actor)
        self._grants.require(actor, Permission.PROMPTS_PROTECTED, row.workspace_id)
        if environment is None or not environment.allow_bypass:
            raise Forbidden(
                f"forbidden: environment {row.env!r} doesn't allow to bypass approvals; an admin "
                "can allow it in the environment's settings"
            )

    def require_approved(
        self, row: ChangeRequestRow, environment: EnvironmentRow | None, approvals: int
    ) -> None:
        """Raises Conflict if approvals are missing."""
        needed = environment.approvals if environment is not None else 0
        if approvals < needed:
            missing = needed - approvals
            raise Conflict(
                f"the request has {approvals} of {needed} approvals; {missing} more "
                f"{'is' if missing == 1 else 'are'} needed"
            )

    def refusals(
        self,
        row: ChangeRequestRow,
        environment: EnvironmentRow | None,
        approved_by: Collection[str],
        actor: Actor,
        *,
        outdated: str | None,
    ) -> dict[str, str]:
        """Return which actions the caller can't do with the request now, with the reasons."""
        refusals = {}
        for action in ACTIONS:
            try:
                self._require(action, row, environment, approved_by, actor, outdated)
            except PlatformError as error:
                refusals[action] = error.sentence
        return refusals

    def _require(
        self,
        action: str,
        row: ChangeRequestRow,
        environment: EnvironmentRow | None,
        approved_by: Collection[str],
        actor: Actor,
        outdated: str | None,
    ) -> None:
        if action == "comment":
            return self._grants.require(actor, self._kinds[row.kind].write, row.workspace_id)
        require_open(row)
        if outdated and action in ("approve", "apply", "bypass"):
            raise Outdated(outdated)
        match action:
            case "approve" | "reject":
                self.require_vote(row, environment, actor, action)
                if action == "approve" and actor.user_id in approved_by:
                    raise Conflict("you have approved this request already")
            case "apply":
                self.require_change(row, environment, actor)
                self.require_approved(row, environment, len(approved_by))
            case "schedule":
                self.require_change(row, environment, actor)
            case "bypass":
                self.require_bypass(row, environment, actor)
            case _:
                self.require_author(row, actor, action)
        return None


def require_open(row: ChangeRequestRow) -> None:
    """Raises NotOpen for a request that is closed."""
    if row.state != OPEN:
        when = row.closed_at.isoformat() if row.closed_at else ""
        raise NotOpen(f"the request was {row.state} by {row.closed_by} at {when}; it is closed")
