"""The short form of schemas, by the examples of its reference."""

from typing import Any

import pytest

from promptops_platform.as_code.picoschema import json_schema
from promptops_platform.as_code.yaml_text import FileError


def an_object(properties: dict[str, Any], *required: str, more: Any = False) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": more}
    return schema | ({"required": list(required)} if required else {})


@pytest.mark.parametrize(
    ("short", "schema"),
    [
        ("string", {"type": "string"}),
        ("string, the name", {"type": "string", "description": "the name"}),
        ("any", {}),
        ({"age": "integer"}, an_object({"age": {"type": "integer"}}, "age")),
        ({"age?": "integer, in years"},
         an_object({"age": {"type": ["integer", "null"], "description": "in years"}})),
        ({"tags(array, of the post)": "string"},
         an_object({"tags": {"type": "array", "items": {"type": "string"},
                             "description": "of the post"}}, "tags")),
        ({"tags?(array)": "string"},
         an_object({"tags": {"type": ["array", "null"], "items": {"type": "string"}}})),
        ({"author(object)": {"name": "string"}},
         an_object({"author": an_object({"name": {"type": "string"}}, "name")}, "author")),
        ({"a": {"b": "number"}},
         an_object({"a": an_object({"b": {"type": "number"}}, "b")}, "a")),
        ({"status(enum, of the order)": ["open", "paid"]},
         an_object({"status": {"enum": ["open", "paid"], "description": "of the order"}},
                   "status")),
        ({"status?(enum)": ["open"]}, an_object({"status": {"enum": ["open", None]}})),
        ({"name": "string", "(*)": "number"},
         an_object({"name": {"type": "string"}}, "name", more={"type": "number"})),
        ({"type": "object", "properties": {"a": {}}},
         {"type": "object", "properties": {"a": {}}}),
    ],
)  # fmt: skip
def test_what_it_stands_for(short: object, schema: dict[str, Any]) -> None:
    assert json_schema(short) == schema


@pytest.mark.parametrize(
    "short",
    [5, ["string"], "text", {"a": None}, {"a(list)": "string"}, {"a(enum)": "x"}, {"": "string"}],
)
def test_what_is_refused(short: object) -> None:
    with pytest.raises(FileError):
        json_schema(short)
