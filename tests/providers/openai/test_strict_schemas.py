from typing import Any

import pytest

from promptops_providers.openai.strict_schemas import is_strict


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a={"type": "string"}, b={"enum": [1, 2]}),
        closed(a={"type": "array", "items": closed(b={"type": "integer"})}),
        closed(a={"anyOf": [closed(), {"type": "null"}]}),
        {**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": closed()}},
    ],
)
def test_schemas_that_strict_mode_takes(schema: dict[str, Any]) -> None:
    assert is_strict(schema)


DEEP: dict[str, Any] = closed()
for _ in range(11):
    DEEP = closed(a=DEEP)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"anyOf": [closed()]},
        {"type": "object"},
        {**closed(a={}), "required": []},
        {**closed(), "additionalProperties": True},
        closed(a={"type": "array", "items": {"type": "object"}}),
        closed(a={"anyOf": [{"type": "null"}, {"properties": {}}]}),
        closed(a={"oneOf": []}),
        closed(a={"type": "array", "uniqueItems": True}),
        {**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"type": "object"}}},
        DEEP,
    ],
)
def test_schemas_that_it_refuses(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)
