"""Any schema costs a bounded amount of work, and so does a comparison with it."""

from typing import Any

import pytest

from promptops_flows.json_schemas import SchemaRefusedError, check_schema, findings


def doubling(levels: int, keyword: str) -> dict[str, Any]:
    """Definitions that each refer to the next one twice."""
    defs: dict[str, Any] = {
        f"d{level}": twice(keyword, {"$ref": f"#/$defs/d{level + 1}"}) for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "integer"}}}


def twice(keyword: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {keyword: {"x": schema, "y": schema} if keyword == "properties" else [schema, schema]}


def nested(levels: int, keyword: str) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {keyword: {"x": schema} if keyword == "properties" else schema}
    return schema


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"allOf": [{"$ref": "#"}] * 30}, "refers to itself without end"),
    ({"$dynamicRef": "#a", "$dynamicAnchor": "a"}, "refers to itself without end"),
    ({"not": {"$ref": "#"}}, "refers to itself without end"),
    ({"if": {"$ref": "#"}}, "refers to itself without end"),
    ({"dependentSchemas": {"a": {"$ref": "#"}}}, "refers to itself without end"),
    (doubling(41, "allOf"), "the limit"),
    (doubling(20, "anyOf"), "more than 100,000 values once its references are replaced"),
    (doubling(20, "oneOf"), "more than 100,000 values once its references are replaced"),
    (doubling(41, "properties"), "more than 100,000 values once its references are replaced"),
    (doubling(41, "prefixItems"), "more than 100,000 values once its references are replaced"),
    (
        {"$ref": "#/$defs/0", "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(99)}
            | {"99": {}}},
        "more than 50 references and combinations",
    ),
    (nested(60, "properties"), "nested more than 100 deep"),
    ({"default": nested(101, "x")}, "nested more than 100 deep"),
    ({"enum": [1] * 10_001}, "more than 10,000 values, which is the limit"),
    ({"enum": ["x" * 66_000]}, "at most 65,536 are allowed"),
    ({"const": {"x" * 66_000: 1}}, "at most 65,536 are allowed"),
    ({"minItems": 3_000_000}, "minItems: asks for 3,000,000, and the limit is 10,000"),
    ({"minProperties": 10_001}, "minProperties: asks for 10,001"),
    ({"contains": {}, "minContains": 10_001}, "minContains: asks for 10,001"),
    ({"minLength": 2_000_000_000}, "minLength: asks for 2,000,000,000, and the limit is 100,000"),
    ({"minimum": 10**400}, "a number beyond ±1e308"),
    ({"exclusiveMaximum": -(10**400)}, "a number beyond ±1e308"),
    ({"multipleOf": 10**309}, "a number beyond ±1e308"),
    ({"multipleOf": 0}, "multipleOf: must be a number above 0"),
    ({"examples": [{"x": 10**400}]}, "a number beyond ±1e308"),
    ({"pattern": "(a{1000}){1000}"}, "is too large"),
    ({"pattern": "x" * 1_001}, "a pattern of 1,001 characters, and the limit is 1,000"),
    ({"pattern": r"(a)\1"}, "back-references"),
    (
        {"anyOf": [{"pattern": f"[a-z]{{{900 + n}}}"} for n in range(99)]},
        "patterns of more than 50,000 instructions together",
    ),
    ({"$ref": "file:///etc/passwd"}, "which is not part of it"),
    ({"$dynamicRef": "http://127.0.0.1/"}, "which is not part of it"),
    ({"$ref": f"#/enum/{'9' * 5_000}", "enum": [1]}, "which doesn't exist"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "limit"), REFUSED)
def test_the_error_names_the_exceeded_limit(schema: dict[str, Any], limit: str) -> None:
    with pytest.raises(SchemaRefusedError) as refused:
        check_schema(schema)
    assert limit in str(refused.value)
    assert len(str(refused.value)) < 6_000
    # A schema that was saved before the limit existed.
    assert findings(schema, {"x": 1}) == [f"the value can't be checked: the schema {refused.value}"]


@pytest.mark.parametrize(
    "schema",
    [
        {"maxLength": 2**53, "maxItems": 2**53, "maximum": 10**308, "multipleOf": 5e-324},
        {"$recursiveRef": "#"},
        {"$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"},
        {"properties": {"minItems": {"const": 3_000_000}}},
        {"definitions": {"a": {}}, "items": {"$ref": "#/definitions/a"}},
        doubling(10, "allOf"),
    ],
)  # fmt: skip
def test_schemas_far_below_the_limits_are_accepted(schema: dict[str, Any]) -> None:
    check_schema(schema)
    findings(schema, {"left": {"left": {}}})


def chain(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"c": value}
    return value


def test_a_tree_that_is_referred_to_twice_is_evaluated_once_for_each_value() -> None:
    inner = {"properties": {"c": {"$ref": "#"}}}
    schema = {**inner, "anyOf": [inner, inner], "allOf": [inner, inner]}
    check_schema(schema)
    assert findings(schema, chain(40)) == []


COSTLY: list[tuple[dict[str, Any], Any]] = [
    ({"items": {"allOf": [{"type": "integer"}] * 1_000}}, [1] * 100_000),
    ({"items": {"required": [f"p{n}" for n in range(5_000)]}}, [{}] * 10_000),
    ({"items": {"properties": {f"p{n}": True for n in range(4_000)}}}, [{}] * 10_000),
    ({"items": {"dependentRequired": {f"p{n}": [] for n in range(4_000)}}}, [{}] * 10_000),
    ({"items": {"const": "x" * 60_000}}, ["x" * 60_000] * 2_000),
    ({"pattern": "([ab]*a[ab]{90}){9}c"}, "ab" * 500_000),
    ({"allOf": [{"items": {"uniqueItems": True}}] * 100}, [[["x" * 1_000] * 1_000]]),
    ({"allOf": [{"contains": False, "minContains": 0}] * 100}, [1] * 30_000),
    ({"unevaluatedItems": False, "allOf": [{"items": True}] * 100}, [1] * 30_000),
]


@pytest.mark.parametrize(("schema", "value"), COSTLY)
def test_a_too_expensive_comparison_is_stopped(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    (sentence,) = findings(schema, value)
    assert "takes more than 1,000,000 steps" in sentence


@pytest.mark.parametrize("levels", [101, 50_000])
def test_a_too_deeply_nested_value_is_reported(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    (sentence,) = findings({"items": True}, value)
    assert "nested more than 100 deep" in sentence


def test_values_made_to_collide_and_huge_numbers_are_compared() -> None:
    collide = [number * (2**61 - 1) for number in range(20_000)]
    assert findings({"uniqueItems": True}, collide) == []
    assert findings({"multipleOf": 5e-324}, 1e308) == []
    assert findings({"multipleOf": 0.1}, 10**4_000) != []
    assert findings({"multipleOf": 3}, 10**4_000) != []
    assert findings({"maximum": 1e308}, 10**4_000) != []
