import pytest

from promptops_flows.json_schemas import SchemaRefusedError, check_schema, findings

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "age": {"$ref": "#/$defs/n"}},
    "required": ["name"],
    "$defs": {"n": {"type": "integer", "minimum": 0}},
}


def test_findings_name_place_and_problem() -> None:
    check_schema(PERSON)
    assert findings(PERSON, {"name": "ada", "age": 3}) == []
    assert findings(PERSON, {"name": "Ada", "age": -1}) == [
        "age: -1 is less than the minimum of 0",
        "name: 'Ada' does not match '^[a-z]+$'",
    ]
    assert findings(PERSON, {}) == ["'name' is a required property"]
    assert findings(PERSON, []) == ["[] is not of type 'object'"]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "is not a JSON Schema"),
        ({"properties": []}, "is not a JSON Schema"),
        ({"$ref": "http://127.0.0.1/schema"}, "refers to 'http://127.0.0.1/schema'"),
        ({"properties": {"a": {"$dynamicRef": "other.json"}}}, "refers to 'other.json'"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "can't be matched in linear time"),
        ({"pattern": "("}, "is not a JSON Schema: pattern"),
        ({"pattern": 1}, "is not a JSON Schema: pattern: must be a text"),
        ({"properties": {"a": {"items": [{}]}}}, "properties.a.items: must be an object"),
        ({"required": ["a", "a"]}, "required: must be a list of different texts"),
        ({"minLength": -1}, "minLength: must be a whole number"),
        ({"$defs": {"a": {"$id": "x"}}}, "has an $id at $defs.a"),
        ({"$ref": "#/default", "default": {"type": 1}}, "is not a JSON Schema: #/default.type"),
        ({"patternProperties": {"x": {}}}, "has patternProperties"),
        ({"description": "x" * 70_000}, "at most 65,536 are allowed"),
    ],
)
def test_what_is_refused(schema: dict[str, object], message: str) -> None:
    with pytest.raises(SchemaRefusedError) as refused:
        check_schema(schema)
    assert message in str(refused.value)


def test_properties_may_have_the_names_of_keywords() -> None:
    text = {"type": "string"}
    check_schema({"properties": {"$ref": text, "pattern": text}})


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"^\u00e9+$", "éé", True),
        (r"^[\u{61}-c]$", "b", True),
        (r"^\ud83d\ude00$", "😀", True),
        (r"^\d+$", "12", True),
        (r"^\/x\-y$", "/x-y", True),
        (r"^\\u0061$", "a", False),
        (r"^\p{L}+$", "Zoë", True),
        (r"b", "abc", True),
    ],
)
def test_patterns_follow_ecmascript(pattern: str, text: str, fits: bool) -> None:
    check_schema({"pattern": pattern})
    assert (findings({"pattern": pattern}, text) == []) is fits


def test_references_are_followed() -> None:
    schema = {
        "$id": "https://example.org/list",
        "$defs": {
            "a/b~c": {"type": "integer"},
            "node": {
                "$anchor": "node",
                "properties": {"next": {"$ref": "#node"}},
                "minProperties": 1,
            },
        },
        "properties": {
            "number": {"$ref": "#/$defs/a~1b~0c"},
            "node": {"$dynamicRef": "#node"},
            "same": {"$ref": "#/properties/number"},
        },
    }
    check_schema(schema)
    assert findings(schema, {"number": 1, "same": 2, "node": {"next": {"next": {"x": 1}}}}) == []
    assert findings(schema, {"number": "x", "same": "y", "node": {"next": {"next": {}}}}) == [
        "node.next.next: {} should be non-empty",
        "number: 'x' is not of type 'integer'",
        "same: 'y' is not of type 'integer'",
    ]


def test_a_missing_reference_target_is_reported() -> None:
    schema = {"$ref": "#/$defs/missing"}
    with pytest.raises(SchemaRefusedError, match="which doesn't exist"):
        check_schema(schema)
