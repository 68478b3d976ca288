"""Selects the checkpoints of a run that its retry reuses."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from promptops_flows.definitions.graph import predecessors
from promptops_flows.protocol.engine_client import Checkpoint
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_platform.errors import BadRequest
from promptops_platform.runlog.tables import RunStepRow

Plan = WorkflowPlan | AgentPlan


def place_of_step(plan: Plan, step: str) -> int:
    """Return a step's place, counted from 0, by its name or number; raises BadRequest."""
    names = [item.name for item in plan.steps] if isinstance(plan, WorkflowPlan) else []
    if names.count(step) == 1:
        return names.index(step)
    is_number = step.isascii() and step.isdigit() and len(step) < 6
    if is_number and int(step) and (isinstance(plan, AgentPlan) or int(step) <= len(names)):
        return int(step) - 1
    which = f"; use one of {', '.join(filter(None, names))}" if any(names) else ""
    raise BadRequest(
        f"from: {step[:64]!r} is not a step of this run{which}, or a number, counted from 1"
    )


def refuse_inner_step(plan: Plan, logged: Iterable[RunStepRow], step: str) -> None:
    """Raises BadRequest for the name or number of a step of an inner run, which has no checkpoint;
    the message names the step of the run that executed it."""
    names = [item.name for item in plan.steps] if isinstance(plan, WorkflowPlan) else []
    if step in names:
        return
    for row in logged:
        if row.outer is not None and step in (row.name, str(row.position)):
            name = names[row.outer - 1] if row.outer <= len(names) else ""
            outer = repr(name) if name and names.count(name) == 1 else str(row.outer)
            raise BadRequest(
                f"from: {step[:64]!r} is a step of an inner run, which can only be executed again "
                f"as a whole; use the step that runs it: {outer}"
            )


def without(plan: Plan, checkpoints: Sequence[Checkpoint], place: int) -> list[Checkpoint]:
    """Return the checkpoints without that of a step and those of all steps that depend on it."""
    if isinstance(plan, AgentPlan) or plan.is_list:
        return [checkpoint for checkpoint in checkpoints if checkpoint.index <= place]
    needed = predecessors(plan.steps)
    dropped = {at + 1 for at, needs in enumerate(needed) if at == place or place in needs}
    return [checkpoint for checkpoint in checkpoints if checkpoint.index not in dropped]


def without_failed(plan: Plan, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints without those of failed steps that the run continued after, and of all
    steps that depend on them. Failed tools of an agent keep theirs: the model has seen the
    result."""
    kept = list(checkpoints)
    if isinstance(plan, WorkflowPlan):
        for failed in [checkpoint for checkpoint in kept if checkpoint.output.failed]:
            kept = without(plan, kept, failed.index - 1)
    return kept


def fitting(old: Plan, new: Plan, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints that are also valid for another version, at the places of its steps:
    those of steps that are equal, together with everything that they depend on."""
    if isinstance(old, AgentPlan) or isinstance(new, AgentPlan):
        return list(checkpoints) if old == new else []
    places = _equal_steps(old, new)
    return [
        replace(checkpoint, index=places[checkpoint.index - 1] + 1)
        for checkpoint in checkpoints
        if checkpoint.index - 1 in places
    ]


def _equal_steps(old: WorkflowPlan, new: WorkflowPlan) -> dict[int, int]:
    """Map places in the old plan to the places of equal steps in the new one."""
    if old.is_list != new.is_list:
        return {}
    places: dict[int, int] = {}
    if old.is_list:
        for at, (one, other) in enumerate(zip(old.steps, new.steps, strict=False)):
            if replace(one, policy=other.policy) != other:
                break
            places[at] = at
        return places
    by_name = {step.name: at for at, step in enumerate(old.steps)}
    for at in _in_order(new.steps):
        was = by_name.get(new.steps[at].name)
        if was is None:
            continue
        step = _as_in_old(new.steps[at], places)
        if step is not None and replace(step, policy=old.steps[was].policy) == old.steps[was]:
            places[was] = at
    return places


def _in_order(steps: Sequence[Step]) -> list[int]:
    """Return the places, each after all places that it depends on."""
    needed = predecessors(steps)
    return sorted(range(len(steps)), key=lambda at: len(needed[at]))


def _as_in_old(step: Step, places: dict[int, int]) -> Step | None:
    """Return the step with the places of the old plan; None if it depends on a step that isn't
    there."""
    old_of = {new: old for old, new in places.items()}
    gates = [replace(gate, branch=old_of.get(gate.branch, -1)) for gate in step.gates]
    needs = tuple(old_of.get(need, -1) for need in step.needs)
    if -1 in needs or any(gate.branch == -1 for gate in gates):
        return None
    return replace(step, needs=needs, gates=tuple(gates))
