"""Parses the stored JSON of a workflow.

Unknown fields stay in the stored JSON, and a warning names them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from promptops_flows.definitions.graph import check_output, connect
from promptops_flows.steps.fields import DefinitionError, described, read_duration
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.policy import MAX_TIMEOUT_SECONDS
from promptops_flows.steps.registry import ParsedStep, parse_step
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS
from promptops_providers.provider_names import PROVIDER_NAMES

MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class WorkflowReading:
    """A parsed definition: the `plan`, or the `problems` that prevent a run, and `warnings` about
    fields without effect."""

    plan: WorkflowPlan | None
    problems: tuple[DefinitionError, ...] = ()
    warnings: tuple[str, ...] = ()


def read_workflow(
    definition: Mapping[str, Any], connections: Collection[str] = ()
) -> WorkflowReading:
    """Parse `steps`, `output` and `timeout` from decoded JSON.

    A model step's provider is a built-in one or the name of one of `connections`.
    """
    try:
        items = _items(definition.get("steps"))
    except DefinitionError as error:
        return WorkflowReading(None, (error,))
    providers = tuple(dict.fromkeys((*PROVIDER_NAMES, *connections)))
    parsed: list[ParsedStep] = []
    problems: list[DefinitionError] = []
    for index, item in enumerate(items, 1):
        try:
            parsed.append(parse_step(item, index, providers))
        except DefinitionError as error:
            problems.append(error)
    if problems:
        return WorkflowReading(None, tuple(problems))
    graph, problems = connect(parsed)
    output, timeout = _output(definition, parsed, problems), _timeout(definition, problems)
    warnings = tuple(sentence for item in parsed for sentence in item.unknown)
    if problems:
        return WorkflowReading(None, tuple(problems), warnings)
    plan = WorkflowPlan(
        graph.steps,
        graph.is_list,
        output,
        timeout,
        defaults=definition.get("defaults") or {},
        input_schema=definition.get("input_schema") or {},
        strict=definition.get("strict") is True,
    )
    return WorkflowReading(plan, (), warnings)


def parse_workflow(
    definition: Mapping[str, Any], connections: Collection[str] = ()
) -> WorkflowPlan:
    """Like `read_workflow`; raises `DefinitionError` for the first problem."""
    reading = read_workflow(definition, connections)
    if reading.plan is None:
        raise reading.problems[0]
    return reading.plan


def parse_steps(raw: object, connections: Collection[str] = ()) -> WorkflowPlan:
    """Parse a definition that consists only of steps; raises `DefinitionError`."""
    return parse_workflow({"steps": raw}, connections)


def find_problems(raw: object, connections: Collection[str] = ()) -> list[DefinitionError]:
    """The problems of the steps."""
    return list(read_workflow({"steps": raw}, connections).problems)


def _items(raw: object) -> list[object]:
    if not isinstance(raw, list):
        raise DefinitionError(f"steps is {described(raw)}, give a list of step objects")
    if len(raw) > MAX_STEPS:
        raise DefinitionError(
            f"steps has {len(raw)} steps, at most {MAX_STEPS} are allowed, split the workflow"
        )
    return raw


def _output(
    definition: Mapping[str, Any], parsed: list[ParsedStep], problems: list[DefinitionError]
) -> str:
    """The template of the result, also if the field contains a step's name."""
    output = definition.get("output")
    names = {item.step.name: place for place, item in enumerate(parsed) if item.step.name}
    if output in (None, ""):
        return ""
    if not isinstance(output, str) or len(output) > MAX_TEMPLATE_CHARACTERS:
        complaint: str | None = f"is {described(output)}"
    elif output in names:
        return f'{{{{steps["{output}"].output}}}}'
    else:
        complaint = check_output(output, names, len(parsed))
        if "{{" not in output:
            complaint = f"'{output[:40]}' is not a step"
    if complaint:
        problems.append(
            DefinitionError(
                f"output {complaint}; name a step, or give a template with "
                "{{steps.NAME.output}}",
                field="output",
            )
        )
    return str(output)


def _timeout(definition: Mapping[str, Any], problems: list[DefinitionError]) -> float | None:
    raw = definition.get("timeout")
    if raw in (None, ""):
        return None
    seconds = read_duration(raw)
    if seconds is None or not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        problems.append(
            DefinitionError(
                f"timeout is {described(raw)}, give a duration of at most a day such as 30s or 2m",
                field="timeout",
            )
        )
    return seconds
