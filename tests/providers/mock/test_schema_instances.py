from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.mock.schema_instances import (
    InstanceBudget,
    InstanceTooLargeError,
    least_instance,
)

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 18},
        "nick": {"type": "string"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
        "parent": {"$ref": "#/$defs/parent"},
    },
    "required": ["name", "age", "tags", "parent"],
    "$defs": {"parent": {"anyOf": [{"type": "object", "required": ["id"]}, {"type": "null"}]}},
}


def test_what_is_required_and_nothing_else() -> None:
    assert least_instance(PERSON) == {
        "name": "name",
        "age": 18,
        "tags": ["a", "a"],
        "parent": {"id": "id"},
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "text"),
        ({"type": "object"}, {}),
        ({"const": None}, None),
        ({"enum": [3, 4]}, 3),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "integer"}, 0),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 3, "multipleOf": 5}, 5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 0.2, "maximum": 0.4}, 0.2),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 1}, [0]),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 0),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
                ]
            },
            {"a": 0, "b": True},
        ),
    ],
)
def test_the_least_value_is_valid(schema: dict[str, Any], value: Any) -> None:
    assert least_instance(schema) == value
    jsonschema.validate(value, schema)


def test_a_schema_without_end_has_a_value_with_one() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert least_instance(node)["next"]["next"] is not None
    least_instance({"$ref": "#"})
    least_instance({"$ref": "https://example.org/other"})


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        ({"allOf": [{"$ref": "#"}] * 30}, "20,000 steps"),
        ({"type": "array", "minItems": 3_000_000}, "20,000 steps"),
        ({"type": "array", "minItems": 300,
          "items": {"type": "array", "minItems": 300}}, "20,000 steps"),
        ({"type": "array", "minItems": 9_000,
          "items": {f"x-{n}": 1 for n in range(5_000)}}, "20,000 steps"),
        ({"minLength": 2_000_000_000}, "262,144 characters"),
        ({"type": "array", "minItems": 900, "items": {"const": "x" * 900}}, "262,144 characters"),
        ({"type": "array", "minItems": 900, "items": {"enum": [["x" * 900]]}}, "262,144 char"),
        ({"type": "array", "minItems": 900, "items": {"required": ["x" * 900]}}, "262,144 char"),
    ],
)  # fmt: skip
def test_a_value_beyond_the_budget_is_not_made(schema: dict[str, Any], limit: str) -> None:
    with pytest.raises(InstanceTooLargeError, match=limit):
        least_instance(schema)


def test_several_values_share_a_budget() -> None:
    budget, schema = InstanceBudget(), {"minLength": 200_000}
    least_instance(schema, budget)
    with pytest.raises(InstanceTooLargeError):
        least_instance(schema, budget)


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_bounds_that_are_far_apart_make_a_number(kind: str) -> None:
    bounds = {"minimum": 10**400, "multipleOf": 5e-324}
    assert isinstance(least_instance({"type": kind, **bounds}), int)
    assert isinstance(least_instance({"type": kind, "maximum": -(10**400)}), int)


NUMBERS = st.integers(-20, 20)
SCALARS = st.one_of(
    st.builds(lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
              NUMBERS, st.integers(0, 5)),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, NUMBERS),
    st.builds(lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
              st.integers(0, 9), st.integers(0, 3)),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": ["x", 1]}, {"const": [1]}]),
)  # fmt: skip
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least},
                  inner, st.integers(0, 2)),
        st.builds(lambda fields: {"type": "object", "properties": fields, "required": list(fields),
                                 "additionalProperties": False},
                  st.dictionaries(st.sampled_from("abc"), inner)),
        st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=8,
)  # fmt: skip


@given(SCHEMAS)
def test_the_least_value_of_any_usual_schema_is_valid(schema: dict[str, Any]) -> None:
    value = least_instance(schema)
    jsonschema.validate(value, schema)
    assert least_instance(schema) == value
