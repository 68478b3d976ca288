"""The order of steps: which steps they need, which branches they follow, and which outputs they
read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from promptops_flows.steps.fields import DefinitionError, shown
from promptops_flows.steps.registry import ParsedStep
from promptops_flows.steps.step import Gate, Step
from promptops_flows.templates.references import MissingOutputError, names_in, reference_in


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps with their dependencies. `is_list`: no step has `needs`."""

    steps: tuple[Step, ...]
    is_list: bool


def connect(parsed: Sequence[ParsedStep]) -> tuple[Graph, list[DefinitionError]]:
    """Resolve the references between steps; returns the graph and all errors in the references."""
    is_list = all(item.needs is None for item in parsed)
    names, problems = _names(parsed, is_list=is_list)
    gates = _gates(parsed, names, problems)
    steps = []
    for place, item in enumerate(parsed):
        needs = _needs(parsed, place, names, problems, is_list=is_list)
        steps.append(replace(item.step, needs=needs, gates=tuple(gates.get(place, ()))))
    if not problems:
        problems = _cycles(steps) or _wrong_references(steps, names)
    return Graph(tuple(steps), is_list), problems


def direct_predecessors(step: Step) -> tuple[int, ...]:
    """The positions of all steps that must end before this one begins."""
    return tuple(dict.fromkeys((*step.needs, *(gate.branch for gate in step.gates))))


def predecessors(steps: Sequence[Step]) -> list[frozenset[int]]:
    """For each step the positions of all steps that end before it begins, including indirect
    ones."""
    before_each: dict[int, frozenset[int]] = {}
    order = TopologicalSorter({at: direct_predecessors(step) for at, step in enumerate(steps)})
    for at in order.static_order():
        direct = direct_predecessors(steps[at])
        before_each[at] = frozenset(direct).union(*(before_each[other] for other in direct))
    return [before_each[at] for at in range(len(steps))]


def _names(
    parsed: Sequence[ParsedStep], *, is_list: bool
) -> tuple[dict[str, int], list[DefinitionError]]:
    """The position of each name; in a list the last step with a name counts."""
    names: dict[str, int] = {}
    problems = []
    for place, item in enumerate(parsed):
        name = item.step.name
        if not is_list and not name:
            problems.append(
                _problem(parsed, place, "name", "is missing; every step needs one if any has needs")
            )
        elif not is_list and name in names:
            problems.append(
                _problem(
                    parsed, place, "name", f"is also the name of step {names[name] + 1}; change one"
                )
            )
        if name:
            names[name] = place
    return names, problems


def _needs(
    parsed: Sequence[ParsedStep],
    place: int,
    names: Mapping[str, int],
    problems: list[DefinitionError],
    *,
    is_list: bool,
) -> tuple[int, ...]:
    if is_list:
        return (place - 1,) if place else ()
    needs = []
    for name in parsed[place].needs or ():
        if name == parsed[place].step.name:
            problems.append(_problem(parsed, place, "needs", "names the step itself; leave it out"))
        elif name in names:
            needs.append(names[name])
        else:
            problems.append(_unknown(parsed, place, "needs", name, names))
    return tuple(needs)


def _gates(
    parsed: Sequence[ParsedStep], names: Mapping[str, int], problems: list[DefinitionError]
) -> dict[int, list[Gate]]:
    gates: dict[int, list[Gate]] = {}
    for place, item in enumerate(parsed):
        for side, targets in item.step.action.sides().items():
            for name in targets:
                target = names.get(name)
                if target is None:
                    problems.append(_unknown(parsed, place, side, name, names))
                elif any(gate.branch == place for gate in gates.get(target, ())):
                    problems.append(
                        _problem(parsed, place, side, f"names '{shown(name)}', like the other side")
                    )
                else:
                    gates.setdefault(target, []).append(Gate(place, side))
    return gates


def _cycles(steps: Sequence[Step]) -> list[DefinitionError]:
    try:
        TopologicalSorter(
            {at: direct_predecessors(step) for at, step in enumerate(steps)}
        ).prepare()
    except CycleError as error:
        circle = error.args[1][:0:-1]
        first = min(circle)
        start = circle.index(first)
        circle = [*circle[start:], *circle[:start], first]
        path = " → ".join(f"'{shown(steps[at].name)}'" for at in circle)
        return [
            DefinitionError(
                f"step {first + 1} ({shown(steps[first].name)}): needs form a cycle, {path}; "
                "remove one of them",
                step=first,
                field="needs",
            )
        ]
    return []


def _wrong_references(steps: Sequence[Step], names: Mapping[str, int]) -> list[DefinitionError]:
    """For each step the first reference to an output that isn't available to it."""
    earlier = predecessors(steps)
    problems = []
    for place, step in enumerate(steps):
        for template in step.action.templates():
            complaint = _complaint(template.text, earlier[place], names)
            if complaint:
                where = f"step {place + 1}" + (f" ({shown(step.name)})" if step.name else "")
                problems.append(
                    DefinitionError(
                        f"{where}: {template.field} {complaint}", step=place, field=template.field
                    )
                )
                break
    return problems


def _complaint(template: str, earlier: frozenset[int], names: Mapping[str, int]) -> str | None:
    for name in names_in(template):
        try:
            reference = reference_in(name)
        except MissingOutputError as error:
            return f"is wrong: {error}"
        if reference is None:
            continue
        if reference.step not in names:
            options = ", ".join(names) or "none of them has a name"
            return f"reads '{shown(name)}', but there is no such step; the steps are: {options}"
        if names[reference.step] not in earlier:
            return f"reads '{shown(name)}', which may not have run yet; add it to needs"
    return None


def check_output(template: str, names: Mapping[str, int], count: int) -> str | None:
    """What is wrong with the template of the result; None if it is valid."""
    return _complaint(template, frozenset(range(count)), names)


def _unknown(
    parsed: Sequence[ParsedStep], place: int, field: str, name: str, names: Mapping[str, int]
) -> DefinitionError:
    options = ", ".join(names)
    return _problem(
        parsed,
        place,
        field,
        f"names '{shown(name)}', which is not a step; the steps are: {options}",
    )


def _problem(
    parsed: Sequence[ParsedStep], place: int, field: str, complaint: str
) -> DefinitionError:
    name = parsed[place].step.name
    where = f"step {place + 1}" + (f" ({shown(name)})" if name else "")
    return DefinitionError(f"{where}: {field} {complaint}", step=place, field=field)
