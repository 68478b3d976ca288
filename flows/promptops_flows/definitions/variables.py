"""The run variables that the templates of a workflow read."""

from __future__ import annotations

import re
from collections.abc import Collection

from promptops_flows.steps.fields import shown
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_flows.templates.references import MissingOutputError, names_in, reference_in

_ROOT = re.compile(r"\w+")


def unfilled_variables(plan: WorkflowPlan, filled: Collection[str]) -> list[str]:
    """A sentence for each variable that a template reads and that has no value."""
    sentences = []
    for index, step in enumerate(plan.steps, 1):
        where = f"step {index}" + (f" ({shown(step.name)})" if step.name else "")
        for name, field in _variables(step).items():
            if name not in filled:
                sentences.append(
                    f"{where}: {field} reads {{{{{shown(name)}}}}}, which has no value"
                )
    return sentences


def _variables(step: Step) -> dict[str, str]:
    """The variables, each with the field that reads it first."""
    own = step.action.own_names()
    names: dict[str, str] = {}
    for template in step.action.templates():
        for name in names_in(template.text):
            root = _ROOT.match(name)
            if name != "input" and not (root and root[0] in own) and not _is_reference(name):
                names.setdefault(name, template.field)
    return names


def _is_reference(name: str) -> bool:
    try:
        return reference_in(name) is not None
    except MissingOutputError:
        return True
