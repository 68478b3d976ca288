from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.claude.schemas import as_claude_takes_it

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


CITY = closed(city=TEXT)


@pytest.mark.parametrize(
    ("schema", "taken"),
    [
        (closed(a=TEXT), closed(a=TEXT)),
        ({"type": "object", "properties": {"a": TEXT}, "$schema": "x"}, closed(a=TEXT)),
        (
            closed(n={"type": "integer", "minimum": 1, "description": "A count"}),
            closed(n={"type": "integer", "description": 'A count {"minimum": 1}'}),
        ),
        (closed(t={**TEXT, "format": "date"}), closed(t={**TEXT, "format": "date"})),
        (
            closed(t={**TEXT, "format": "iri"}),
            closed(t={**TEXT, "description": '{"format": "iri"}'}),
        ),
        (
            closed(l={"type": "array", "items": {"properties": {"a": TEXT}}, "minItems": 1}),
            closed(
                l={
                    "type": "array",
                    "items": {"properties": {"a": TEXT}, "additionalProperties": False},
                    "minItems": 1,
                }
            ),
        ),
        (closed(u={"oneOf": [TEXT, CITY]}), closed(u={"anyOf": [TEXT, CITY]})),
        (
            {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}},
            {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}},
        ),
    ],
)  # fmt: skip
def test_what_claude_takes(schema: dict[str, Any], taken: dict[str, Any]) -> None:
    assert as_claude_takes_it(schema) == taken


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["object", "null"]},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": True},
        closed(a={"type": "object", "additionalProperties": TEXT}),
        closed(a={"not": TEXT}),
        closed(a=True),
        closed(a={"type": "array", "prefixItems": [TEXT]}),
        closed(a={"$ref": "#/$defs/A"}),
        closed(a={"$ref": "#"}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(a={"$ref": "#/$defs/A"})}},
        {
            **closed(a={"$ref": "#/$defs/A"}),
            "$defs": {"A": closed(b={"$ref": "#/$defs/B"}), "B": closed(a={"$ref": "#/$defs/A"})},
        },
        {"type": "array", "items": "text"},
        {"properties": [TEXT]},
        closed(a={"anyOf": TEXT}),
    ],
)
def test_what_claude_cannot_be_bound_to(schema: dict[str, Any]) -> None:
    assert as_claude_takes_it(schema) is None


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "$defs", "$ref", "description", "format", "minItems"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYWORDS, JSON, max_size=5))
def test_any_schema_is_taken_or_not(schema: dict[str, Any]) -> None:
    taken = as_claude_takes_it(schema)
    assert taken is None or as_claude_takes_it(taken) == taken


def test_a_long_chain_of_definitions_is_followed_once() -> None:
    def chain(end: dict[str, Any]) -> dict[str, Any]:
        defs = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(1_500)}
        return {"anyOf": [{"$ref": "#/$defs/d0"}], "$defs": {**defs, "d1500": end}}

    assert as_claude_takes_it(chain({"type": "string"})) is not None
    assert as_claude_takes_it(chain({"anyOf": [{"$ref": "#/$defs/d0"}]})) is None
