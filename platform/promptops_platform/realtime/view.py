"""What a watcher sees of the changes."""

from dataclasses import dataclass
from typing import Literal

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.realtime.snapshot import Entry, Snapshot
from promptops_platform.text import composed

# What alters an answer that can still be fetched.
SERVING = frozenset({ChangeType.PROMPT_UPDATED, ChangeType.PROMPT_PUBLISHED})

# The one workspace that is named, or all that the caller fetches from without naming one.
Scope = tuple[Literal["one"], str | None] | tuple[Literal["implicit"], frozenset[str]] | None


@dataclass(frozen=True, slots=True)
class View:
    """Watchers with the same see the same. `workspace` is an id or slug; without a `namespace` all
    environments are watched that an API key is not kept from."""

    actor: Actor
    workspace: str | None
    namespace: str

    @property
    def named(self) -> str | None:
        """The workspace that is watched; None where that is looked up for each key."""
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


class Sight:
    """Decides for a view, with what is served and allowed now."""

    def __init__(self, snapshot: Snapshot, grants: Grants) -> None:
        self._snapshot = snapshot
        self._grants = grants

    def scope(self, view: View) -> Scope:
        """Which workspaces exist for it; None where it may not watch the namespace any more."""
        if view.namespace and not view.actor.may_enter(view.namespace):
            return None
        if view.named:
            return ("one", self._grants.find(view.actor, view.named))
        return ("implicit", self._grants.implicit(view.actor))

    def workspaces(self, view: View) -> frozenset[str]:
        """The workspaces whose prompts it fetches."""
        if not view.named:
            return self._grants.implicit(view.actor)
        found = self._grants.find(view.actor, view.named)
        return frozenset(() if found is None else (found,))

    def concerns(self, view: View, change: Change) -> bool:
        """Whether the change is of what would be fetched now: not of a prompt that is gone
        meanwhile, or that another workspace's hides."""
        served = self._served(view, change)
        return served is not None and served.prompt_id == change.resource_id

    def fetchable(self, view: View, change: Change) -> Change | None:
        """The change as an existing client is told of it, which ends its watch where it can't
        fetch: a deletion only where it uncovers another workspace's prompt of that name."""
        if not view.wants(change.env):
            return None
        if change.type in SERVING:
            return change if self.concerns(view, change) else None
        if change.type == ChangeType.PROMPT_DELETED:
            return self._uncovered(view, change)
        return None

    def shown(self, view: View, change: Change) -> Change | None:
        """The change as a client that resumes is told of it, deletions included."""
        deleted = change.type == ChangeType.PROMPT_DELETED
        if not (deleted or change.type in SERVING) or not view.wants(change.env):
            return None
        workspace_id = change.workspace_id or ""
        if view.named:
            found = self._grants.find(view.actor, view.named)
            return change if found == workspace_id else None
        if workspace_id not in self._grants.implicit(view.actor):
            return None
        served = self._served(view, change)
        if served is None or served.workspace_id == workspace_id:
            return change
        if not self._covers(workspace_id, served):
            return None
        return _update(change, served) if deleted else change

    def _uncovered(self, view: View, deleted: Change) -> Change | None:
        served = self._served(view, deleted)
        if served is None or view.named:
            return None
        # A new prompt in the place of the deleted one has an event of its own.
        workspace_id, ranks = deleted.workspace_id or "", self._grants.ranks
        known = workspace_id in ranks
        if not self._covers(workspace_id, served) or (
            known and workspace_id not in self._grants.implicit(view.actor)
        ):
            return None
        return _update(deleted, served)

    def _covers(self, workspace_id: str, served: Entry) -> bool:
        """Whether a prompt of this workspace was fetched rather than the one that is served now."""
        ranks = self._grants.ranks
        if workspace_id not in ranks:
            # It is deleted too: whatever it covered, nobody knows any more.
            return True
        return ranks[workspace_id] < ranks.get(served.workspace_id, len(ranks))

    def _served(self, view: View, change: Change) -> Entry | None:
        return self._snapshot.lookup(view.actor, view.workspace, change.env, change.key)


def _update(deleted: Change, served: Entry) -> Change:
    return served.as_change(ChangeType.PROMPT_UPDATED, deleted.env, deleted.key)
