"""The owner scope of things derived from prompts, such as runs and conversations.

A key that is limited to environments sees what was derived from these alone, and what was derived
from none if that very key made it: what others write into a run may come from anywhere. Everyone
else sees all. A scope is a text, so that it can be indexed; None means several environments, or
none.
"""

from collections.abc import Collection

from promptops_platform.access.actor import Actor

LONGEST_SCOPE = 80


def scope_of(environments: Collection[str], actor: Actor) -> str | None:
    """Return the scope of what this caller derives from prompts of these environments."""
    if len(environments) == 1:
        return _of_environment(*environments)
    if not environments and actor.environments and actor.key_id is not None:
        return _of_key(actor.key_id)
    return None


def joint_scope(one: str | None, other: str | None) -> str | None:
    """Return the scope of what was derived from both."""
    return one if one == other else None


def seen_scopes(actor: Actor) -> frozenset[str] | None:
    """Return the scopes that the caller sees; None for everything, including what has no scope."""
    if not actor.environments:
        return None
    environments = {_of_environment(name) for name in actor.environments}
    return frozenset(environments | ({_of_key(actor.key_id)} if actor.key_id else set()))


def sees(actor: Actor, scope: str | None) -> bool:
    """Whether the caller sees what has this scope."""
    scopes = seen_scopes(actor)
    return scopes is None or scope in scopes


def _of_environment(name: str) -> str:
    return f"env:{name}"


def _of_key(key_id: str) -> str:
    return f"key:{key_id}"
