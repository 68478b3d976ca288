"""The prompts that an agent's or a workflow's definition refers to."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor

FIELD = "prompt_ref"
# In a step that renders a prompt of the registry.
STEP_FIELD = "prompt"
DEFAULT_ENVIRONMENT = "prod"


class PromptReference(NamedTuple):
    """A `prompt_ref`; without a version it refers to what is served."""

    key: str
    env: str
    version: str | None


def references(definition: Any) -> Iterator[PromptReference]:
    """Return all `prompt_ref`s and the `prompt`s of steps, at any depth of the JSON."""
    pending = [definition]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            for reference in (value.get(FIELD), value.get(STEP_FIELD)):
                if not isinstance(reference, Mapping) or "key" not in reference:
                    continue
                key, version = reference.get("key"), reference.get("version")
                env = str(reference.get("env") or DEFAULT_ENVIRONMENT)
                yield PromptReference(str(key), env, str(version) if version else None)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def referenced_environments(definition: Any) -> frozenset[str]:
    """Return the environments of all `prompt_ref`s."""
    return frozenset(reference.env for reference in references(definition))


def may_refer(actor: Actor, definition: Any) -> bool:
    """Whether the caller may use all environments that the definition refers to."""
    return all(actor.may_enter(env) for env in referenced_environments(definition))
