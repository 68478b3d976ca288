import time

import pytest

from promptops_flows.json_schemas import SchemaRefusedError, check_schema, findings

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "age": {"$ref": "#/$defs/n"}},
    "required": ["name"],
    "$defs": {"n": {"type": "integer", "minimum": 0}},
}


def test_findings_name_where_and_what() -> None:
    check_schema(PERSON)
    assert findings(PERSON, {"name": "ada", "age": 3}) == []
    assert findings(PERSON, {"name": "Ada", "age": -1}) == [
        "age: -1 is less than the minimum of 0",
        "name: 'Ada' does not match '^[a-z]+$'",
    ]
    assert findings(PERSON, {}) == ["'name' is a required property"]
    assert findings(PERSON, []) == ["[] is not of type 'object'"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "is no JSON Schema"),
        ({"properties": []}, "is no JSON Schema"),
        ({"$ref": "http://127.0.0.1/schema"}, "refers to 'http://127.0.0.1/schema'"),
        ({"properties": {"a": {"$dynamicRef": "other.json"}}}, "refers to 'other.json'"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "can't be matched in linear time"),
        ({"pattern": "("}, "is no JSON Schema: pattern"),
        ({"patternProperties": {"x": {}}}, "has patternProperties"),
        ({"description": "x" * 70_000}, "at most 65,536 are taken"),
    ],
)
def test_what_is_refused(schema: dict[str, object], said: str) -> None:
    with pytest.raises(SchemaRefusedError) as refused:
        check_schema(schema)
    assert said in str(refused.value)


def test_properties_may_have_the_names_of_keywords() -> None:
    text = {"type": "string"}
    check_schema({"properties": {"$ref": text, "pattern": text}})


def test_a_pattern_takes_linear_time() -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    check_schema(schema)
    began = time.perf_counter()
    assert findings(schema, "a" * 50_000 + "b")
    assert time.perf_counter() - began < 5


def test_a_schema_that_refers_to_itself_without_end_is_a_sentence() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    check_schema(schema)
    assert findings(schema, 1) == [
        "the value can't be checked: the schema refers to itself without end"
    ]


def test_a_reference_that_leads_nowhere_is_a_sentence() -> None:
    schema = {"$ref": "#/$defs/missing"}
    with pytest.raises(SchemaRefusedError, match="leads nowhere"):
        check_schema(schema)
