"""Finds the workflows whose steps run an agent or another workflow."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.references import referenced_environments
from promptops_platform.workflows import repository
from promptops_platform.workflows.tables import WorkflowRow

TargetType = Literal["agent", "workflow"]


class TargetUse(NamedTuple):
    """`steps` are the positions of the steps that run the target, counted from 1; `version` is the
    version that all of them pin, None if some of them run what is served."""

    workflow: WorkflowRow
    steps: list[int]
    version: str | None


async def workflows_running(
    transaction: Transaction, workspace_id: str, type_: TargetType, key: str, *, actor: Actor
) -> list[TargetUse]:
    """Return the workflows of a workspace with a step that runs this agent or workflow, by key;
    without those that use environments which are closed to the caller."""
    rows = await repository.with_step_type(transaction.session, workspace_id, type_)
    uses = [target_use(row, type_, key) for row in rows if may_use(actor, row.steps)]
    return [use for use in uses if use.steps]


def target_use(row: WorkflowRow, type_: TargetType, key: str) -> TargetUse:
    """Return which steps of this workflow run it."""
    steps, versions = [], set()
    for place, step in enumerate(row.steps, 1):
        target = _target(step)
        if target.get("type") == type_ and target.get("key") == key:
            steps.append(place)
            versions.add(target.get("version"))
    named_versions = {str(version) for version in versions if version}
    pinned = named_versions.pop() if len(versions) == 1 and named_versions else None
    return TargetUse(row, steps, pinned)


def targets(steps: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Return what the steps run: each step, or what a map runs for each item."""
    return map(_target, steps)


def environments_of(steps: object) -> frozenset[str]:
    """Return the environments whose prompts, agents and workflows these steps use, including those
    of a map's items."""
    environments = set(referenced_environments(steps))
    objects = (
        [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []
    )
    for target in targets(objects):
        env = target.get("env")
        if target.get("type") in ("agent", "workflow") and isinstance(env, str) and env:
            environments.add(env)
    return frozenset(environments)


def may_use(actor: Actor, steps: object) -> bool:
    """Whether these steps use no environment that is closed to the caller."""
    return not actor.environments or all(map(actor.may_enter, environments_of(steps)))


def _target(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the step, or what a map runs for each item."""
    inner = step.get("step")
    return inner if step.get("type") == "map" and isinstance(inner, Mapping) else step
