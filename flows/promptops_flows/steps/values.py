"""JSON whose texts are templates: bodies of requests, variables of agents and workflows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from promptops_flows.steps.context import StepError
from promptops_flows.steps.step import Template, rendered
from promptops_flows.templates.references import MissingOutputError, Scope, only_name


def value_templates(field: str, value: Any) -> Iterable[Template]:
    """The templates of all texts in the value."""
    if isinstance(value, str):
        yield Template(field, value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from value_templates(field, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from value_templates(field, inner)


def rendered_value(value: Any, scope: Scope) -> Any:
    """The value with its texts rendered. A text that consists of one placeholder is replaced by the
    placeholder's value, of any type. Raises `StepError`."""
    if isinstance(value, str):
        name = only_name(value)
        try:
            whole = scope.get(name) if name else None
        except MissingOutputError as error:
            raise StepError(str(error)) from error
        return rendered(value, scope) if whole is None else whole
    if isinstance(value, Mapping):
        return {name: rendered_value(inner, scope) for name, inner in value.items()}
    if isinstance(value, list):
        return [rendered_value(inner, scope) for inner in value]
    return value
