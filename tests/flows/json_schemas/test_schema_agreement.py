"""Our evaluation agrees with the reference implementation of JSON Schema for Python."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from promptops_flows.json_schemas import SchemaRefusedError, check_schema, findings

NAMES = st.sampled_from(["a", "b", "c"])
COUNTS = st.integers(0, 3)
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1.0, 1.5, -2.0]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["", "a", "ab", "abcd"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    by_name = st.dictionaries(NAMES, inner, max_size=3)
    names = st.lists(NAMES, unique=True, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(
                st.sampled_from(TYPES),
                st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
            ),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            **dict.fromkeys(
                ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS
            ),
            **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), COUNTS),
            **dict.fromkeys(("minProperties", "maxProperties"), COUNTS),
            **dict.fromkeys(("minContains", "maxContains"), COUNTS),
            "pattern": st.sampled_from(["^a", "b$", "c"]),
            "uniqueItems": st.booleans(),
            "required": names,
            "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
            **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), several),
            **dict.fromkeys(("not", "if", "then", "else", "items", "contains"), inner),
            **dict.fromkeys(("additionalProperties", "propertyNames"), inner),
            **dict.fromkeys(("properties", "dependentSchemas"), by_name),
            "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
        },
    )


def few(schema: dict[str, Any], kept: list[bool]) -> dict[str, Any]:
    """A schema with every keyword at once matches nothing: keep some."""
    return {name: value for (name, value), keep in zip(schema.items(), kept, strict=False) if keep}


INNER = st.recursive(
    st.booleans(),
    lambda inner: st.builds(few, keywords(inner), st.lists(st.booleans(), max_size=30)),
    max_leaves=6,
)
SCHEMAS = st.builds(
    lambda schema, a, b: {**(schema if isinstance(schema, dict) else {"not": schema}),
                          "$defs": {"a": a, "b": b}},
    INNER, INNER, INNER,
)  # fmt: skip


def is_refused_as_endless(schema: dict[str, Any]) -> bool:
    try:
        check_schema(schema)
    except SchemaRefusedError as error:
        if "refers to itself without end" not in str(error):
            raise
        return True
    return False


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, VALUES)
def test_both_agree_whether_a_value_matches(schema: dict[str, Any], value: Any) -> None:
    assume(not is_refused_as_endless(schema))
    Draft202012Validator.check_schema(schema)
    fits = Draft202012Validator(schema).is_valid(value)
    sentences = findings(schema, value)
    assert (sentences == []) is fits, sentences


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"a": 1}, True),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}, False),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, True),
        (
            {
                "anyOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {}}}],
                "unevaluatedProperties": False,
            },
            {"a": 2, "b": 2},
            False,
        ),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {}}}},
          "unevaluatedProperties": False}, {"a": 1}, True),
        ({"unevaluatedProperties": {"type": "integer"}}, {"a": 1}, True),
        ({"unevaluatedProperties": {"type": "integer"}}, {"a": "x"}, False),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1], True),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1, 2], False),
        ({"contains": {"const": 1}, "unevaluatedItems": False}, [1, 1], True),
        ({"contains": {"const": 1}, "unevaluatedItems": False}, [1, 2], False),
        ({"if": {"properties": {"a": {"const": 1}}, "required": ["a"]},
          "then": {"properties": {"b": {}}}, "unevaluatedProperties": False},
         {"a": 1, "b": 2}, True),
        ({"not": {"properties": {"a": {}}, "required": ["z"]}, "unevaluatedProperties": False},
         {"a": 1}, False),
        ({"dependentSchemas": {"a": {"properties": {"a": {}, "b": {}}}},
          "unevaluatedProperties": False}, {"a": 1, "b": 1}, True),
    ],
)  # fmt: skip
def test_unevaluated_keywords_agree(schema: dict[str, Any], value: Any, fits: bool) -> None:
    check_schema(schema)
    assert Draft202012Validator(schema).is_valid(value) is fits
    assert (findings(schema, value) == []) is fits
