"""Which changes a watcher sees."""

from dataclasses import dataclass
from typing import Literal

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Role
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.field_types import composed
from promptops_platform.serving.snapshot import Entry, Snapshot

# Types of changes after which a fetch still succeeds, perhaps with a different result.
SERVING = frozenset({ChangeType.PROMPT_UPDATED, ChangeType.PROMPT_PUBLISHED})

# The workspace that the client named, or all that the caller fetches from without naming one. For a
# console: all that its user may read, with the user's role in each.
Scope = (
    tuple[Literal["one"], str | None]
    | tuple[Literal["implicit"], frozenset[str]]
    | tuple[Literal["console"], frozenset[str] | None, Role]
    | None
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Watchers with equal subscriptions receive the same events. `workspace` is an id or slug.
    Without a `namespace` the subscription covers all environments that the API key may access."""

    actor: Actor
    workspace: str | None
    namespace: str
    is_console: bool = False

    @property
    def watched_workspace(self) -> str | None:
        """The watched workspace; None if the workspace is looked up for each key."""
        return self.actor.workspace_id or self.workspace

    @property
    def environments(self) -> list[str] | None:
        """The environments that are watched; None for all."""
        if self.namespace:
            return [self.namespace]
        return sorted(self.actor.environments) or None

    def wants(self, env: str) -> bool:
        """Whether changes of this environment are watched."""
        if self.namespace:
            # An older release stored names as they came.
            return self.namespace in (env, composed(env))
        return self.actor.may_enter(env)


class Visibility:
    """Decides what a subscription covers, by what is currently served and allowed."""

    def __init__(self, snapshot: Snapshot, grants: Grants) -> None:
        self._snapshot = snapshot
        self._grants = grants

    def scope(self, subscription: Subscription) -> Scope:
        """Return the workspaces that the subscription can see; None if it may no longer watch the
        namespace."""
        if subscription.namespace and not subscription.actor.may_enter(subscription.namespace):
            return None
        if subscription.is_console:
            return ("console", self._grants.readable(subscription.actor), subscription.actor.role)
        if subscription.watched_workspace:
            return ("one", self._grants.find(subscription.actor, subscription.watched_workspace))
        return ("implicit", self._grants.implicit(subscription.actor))

    def workspaces(self, subscription: Subscription) -> frozenset[str]:
        """Return the workspaces whose prompts it fetches."""
        if not subscription.watched_workspace:
            return self._grants.implicit(subscription.actor)
        workspace_id = self._grants.find(subscription.actor, subscription.watched_workspace)
        return frozenset(() if workspace_id is None else (workspace_id,))

    def concerns(self, subscription: Subscription, change: Change) -> bool:
        """Whether the change is about a prompt that a fetch would currently return: not about one
        that was deleted meanwhile, or that a prompt of another workspace hides."""
        served = self._served(subscription, change)
        return served is not None and served.prompt_id == change.resource_id

    def fetchable(self, subscription: Subscription, change: Change) -> Change | None:
        """Return the change in the form for an existing client. Such a client ends its watch when
        its fetch fails, so it receives a deletion only if that uncovers a prompt with the same key
        in another workspace."""
        if not subscription.wants(change.env):
            return None
        if change.type in SERVING:
            return change if self.concerns(subscription, change) else None
        if change.type == ChangeType.PROMPT_DELETED:
            return self._uncovered(subscription, change)
        return None

    def shown(self, subscription: Subscription, change: Change) -> Change | None:
        """Return the change in the form for a resuming client, including deletions."""
        deleted = change.type == ChangeType.PROMPT_DELETED
        if not (deleted or change.type in SERVING) or not subscription.wants(change.env):
            return None
        workspace_id = change.workspace_id or ""
        if subscription.watched_workspace:
            watched = self._grants.find(subscription.actor, subscription.watched_workspace)
            return change if watched == workspace_id else None
        if workspace_id not in self._grants.implicit(subscription.actor):
            return None
        served = self._served(subscription, change)
        if served is None or served.workspace_id == workspace_id:
            return change
        if not self._covers(workspace_id, served):
            return None
        return _update(change, served) if deleted else change

    def _uncovered(self, subscription: Subscription, deleted: Change) -> Change | None:
        served = self._served(subscription, deleted)
        if served is None or subscription.watched_workspace:
            return None
        # A new prompt that replaces the deleted one has its own event.
        workspace_id, ranks = deleted.workspace_id or "", self._grants.ranks
        is_known = workspace_id in ranks
        if not self._covers(workspace_id, served) or (
            is_known and workspace_id not in self._grants.implicit(subscription.actor)
        ):
            return None
        return _update(deleted, served)

    def _covers(self, workspace_id: str, served: Entry) -> bool:
        """Whether fetches returned the prompt of this workspace before, rather than the one that is
        served now."""
        ranks = self._grants.ranks
        if workspace_id not in ranks:
            # The workspace is deleted too, so its place in the order is no longer known.
            return True
        return ranks[workspace_id] < ranks.get(served.workspace_id, len(ranks))

    def _served(self, subscription: Subscription, change: Change) -> Entry | None:
        return self._snapshot.lookup(
            subscription.actor, subscription.workspace, change.env, change.key
        )


def _update(deleted: Change, served: Entry) -> Change:
    return served.as_change(ChangeType.PROMPT_UPDATED, deleted.env, deleted.key)
