"""The prompts that a definition, an agent's or a workflow's, refers to."""

from collections.abc import Mapping
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment

FIELD = "prompt_ref"
DEFAULT_ENVIRONMENT = "prod"


def referenced_environments(definition: Any) -> frozenset[str]:
    """The environments of all `prompt_ref`s, however deep they are in the JSON."""
    environments: set[str] = set()
    pending = [definition]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            reference = value.get(FIELD)
            if isinstance(reference, Mapping):
                environments.add(str(reference.get("env") or DEFAULT_ENVIRONMENT))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return frozenset(environments)


def may_refer(actor: Actor, definition: Any) -> bool:
    """Whether the definition refers to no environment that is closed to the caller."""
    return all(actor.may_enter(env) for env in referenced_environments(definition))


def require_references(actor: Actor, definition: Any) -> None:
    """Raises Forbidden for an API key that is limited to other environments."""
    for env in sorted(referenced_environments(definition)):
        require_environment(actor, env)
