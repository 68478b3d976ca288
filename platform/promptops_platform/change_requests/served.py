"""What a change request is based on, and what would be served with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedOrder
from promptops_platform.definitions.schemas import DefinitionDiff
from promptops_platform.prompts.schemas import PromptDiff

REVISION = "revision"
SOURCE_REVISION = "source_revision"
EXISTS = "exists"


class Place(NamedTuple):
    """Where a request changes what is served."""

    workspace_id: str
    env: str
    key: str


@dataclass(frozen=True, slots=True)
class Served:
    """What an environment serves of one prompt, agent or workflow.

    `version` is None for a working copy; `content` is None if nothing is served. `rollout` is the
    prompt's, even if it is disabled. `revisions` are those of the working copies that the change
    would overwrite or use, `environments` those that the content comes from or refers to.
    """

    version: str | None = None
    content: Mapping[str, Any] | None = None
    rollout: Mapping[str, Any] | None = None
    revisions: Mapping[str, int] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()

    def base(self) -> dict[str, Any]:
        """Return the state that must be unchanged when the change is applied."""
        return {
            EXISTS: self.content is not None,
            "version": self.version,
            "rollout": self.rollout,
            **self.revisions,
        }

    def shown(self) -> dict[str, Any]:
        """Return it in the form that a request stores."""
        return {"version": self.version, "content": self.content, "rollout": self.rollout}


class GuardedKind(Protocol):
    """The operations on prompts, agents or workflows that change requests need."""

    read: Permission
    write: Permission

    async def pin(
        self, transaction: Transaction, place: Place, order: ServedOrder, actor: Actor
    ) -> ServedOrder:
        """Return the order with an explicit version instead of "the working copy" or "what is
        served"."""

    async def served(
        self, transaction: Transaction, place: Place, order: ServedOrder, *, lock: bool = False
    ) -> Served:
        """Return what is served there now; `lock` blocks other changes until the commit."""

    async def carry_out(self, transaction: Transaction, order: ServedOrder, actor: Actor) -> None:
        """Make the change; raises what the services raise."""

    def complete(self, order: ServedOrder, after: Served) -> ServedOrder:
        """Return the order with all values that a trial has filled in."""

    def environments(self, before: Served, after: Served) -> frozenset[str]:
        """Return the environments that readers of both must have access to."""

    def diff(
        self, before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]
    ) -> PromptDiff | DefinitionDiff:
        """Return the differences between two contents of these names."""


def outdated_because(base: Mapping[str, Any], now: Served, place: Place) -> str | None:
    """Return a sentence that says why a request can't be applied any more; None if it can."""
    current = now.base()
    if current == base:
        return None
    if current[EXISTS] != base[EXISTS]:
        verb = "was made" if current[EXISTS] else "was deleted"
        return f"{place.key!r} {verb} in {place.env!r} since this was proposed"
    if current["version"] != base["version"]:
        return (
            f"{place.env!r} serves {_label(current['version'])} of {place.key!r} now; it served "
            f"{_label(base['version'])} when this was proposed"
        )
    if current["rollout"] != base["rollout"]:
        return f"the rollout of {place.key!r} in {place.env!r} was changed since this was proposed"
    return f"the draft of {place.key!r} was edited since this was proposed"


def _label(version: str | None) -> str:
    return "the draft" if version is None else version
