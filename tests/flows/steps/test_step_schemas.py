"""The published schemas of steps: they have the fields that are parsed, and accept what is
accepted."""

from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from promptops_flows.steps.fields import Fields
from promptops_flows.steps.policy import StepPolicy
from promptops_flows.steps.registry import ACTIONS, STEP_TYPES, parse_action, step_schema
from promptops_flows.steps.step import ParseContext

# A step of each kind, and fields that it reads only in combination with others.
STEPS: Mapping[str, Mapping[str, Any]] = {
    "render": {"prompt": {"key": "greeting", "env": "prod", "version": 3}},
    "model": {"messages": [{"content": "x"}], "fallbacks": [{"provider": "mock"}]},
    "transform": {"op": "jinja", "expression": "{{ input }}"},
    "http": {"url": "https://host/path", "method": "POST", "headers": {"accept": "{{x}}"}},
    "agent": {"key": "helper", "version": "2"},
    "workflow": {"key": "report", "env": "dev", "variables": {"days": 1}},
    "map": {"step": {"type": "render"}, "width": 2},
    "branch": {"when": "input", "then": ["a"]},
    "approval": {"message": "?", "deadline": "2h", "reminders": [60, "1h"], "on_deadline": ""},
}
COMMON = {"name": "a", "needs": None, "default": {"x": 1}, "continue_on_error": True}
EXECUTED = {"retries": 2, "timeout": "90s", "cache": 1.5, "concurrency": "key:3"}


class RecordedFields(Fields):
    """Records which fields are read."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__(fields, "step 1", 0)
        self.names_read: set[str] = set()

    def value(self, field: str, default: Any = None) -> Any:
        self.names_read.add(field)
        return super().value(field, default)


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_schema_has_the_fields_that_are_parsed(kind: str) -> None:
    executed = {} if ACTIONS[kind].schema.without_effect else EXECUTED
    step = {"type": kind, **COMMON, **executed, **STEPS[kind]}
    fields = RecordedFields(step)
    parse_action(fields, ParseContext(("mock",), parse_action))
    StepPolicy.parse(fields)
    schema = step_schema(kind, {})
    fields_read = fields.names_read - set(ACTIONS[kind].schema.without_effect)
    assert fields_read | {"name", "needs"} == set(schema["properties"])
    Draft202012Validator.check_schema(schema)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(step)]
    assert errors == []


@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_schema_accepts_unknown_fields_and_null(kind: str) -> None:
    schema = step_schema(kind, {})
    optional = {name: None for name in schema["properties"] if name not in schema["required"]}
    step = {**optional, **STEPS[kind], "modell": 5, "type": kind}
    assert [error.message for error in Draft202012Validator(schema).iter_errors(step)] == []
