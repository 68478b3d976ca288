"""No release takes away what the last one gave: the description against its baseline."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.openapi_losses import losses
from promptops_platform.app import openapi

Json = dict[str, Any]
STRING: Json = {"type": "string"}
INTEGER: Json = {"type": "integer"}
BASELINE = Path(__file__).parents[3] / "docs" / "openapi-baseline.json"


def test_nothing_is_lost_since_the_last_release() -> None:
    lost = losses(json.loads(BASELINE.read_text()), openapi())
    assert not lost, "existing callers would break; give it back, or add beside it"


def small() -> Json:
    """A description with one of each."""
    return {
        "security": [{"bearer": []}],
        "paths": {
            "/open": {"get": {"operationId": "open", "security": [], "responses": {"200": {}}}},
            "/prompts": {
                "post": {
                    "operationId": "create",
                    "parameters": [
                        {
                            "in": "query",
                            "name": "limit",
                            "schema": {"type": "integer", "minimum": 1, "maximum": 200},
                        },
                        {"in": "query", "name": "q", "schema": {"type": "string"}},
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Create"}}
                        }
                    },
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"schema": {"type": "string"}}},
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/Prompt"}
                                }
                            },
                        },
                        "304": {"description": "Unchanged."},
                        "400": {"$ref": "#/components/responses/BadRequest"},
                    },
                },
                "get": {"operationId": "list", "responses": {"200": {}}},
            },
        },
        "components": {
            "schemas": {
                "Create": {
                    "type": "object",
                    "required": ["key"],
                    "properties": {
                        "key": {"type": "string", "maxLength": 200},
                        "name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        "kind": {"type": "string", "enum": ["text", "chat"]},
                        "weight": {"type": "number"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "any": {},
                        "loose": {"type": "object"},
                        "step": {
                            "oneOf": [{"$ref": "#/components/schemas/Wait"}],
                            "discriminator": {
                                "propertyName": "type",
                                "mapping": {"wait": "#/components/schemas/Wait"},
                            },
                        },
                        "again": {"$ref": "#/components/schemas/Create"},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
                "Prompt": {
                    "type": "object",
                    "required": ["id", "at", "tags"],
                    "properties": {
                        "id": {"type": "string"},
                        "at": {"type": "string", "format": "date-time"},
                        "model": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        "status": {"type": "string", "enum": ["ok", "error"]},
                        "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
                        "ratio": {"type": "integer"},
                    },
                },
                "Tag": {"type": "object", "properties": {"name": {"type": "string"}}},
                "Wait": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"const": "wait"}, "seconds": {"type": "number"}},
                },
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}, "code": {"type": "string"}},
                },
            }
        },
    }


Change = Callable[[Json], Any]


def post(document: Json) -> Any:
    return document["paths"]["/prompts"]["post"]


def fields(document: Json, name: str) -> Any:
    return document["components"]["schemas"][name]["properties"]


def limit(document: Json) -> Any:
    return post(document)["parameters"][0]["schema"]


LOSSES: list[tuple[str, Change]] = [
    ("GET /open is gone", lambda d: d["paths"].pop("/open")),
    ("GET /prompts is gone", lambda d: d["paths"]["/prompts"].pop("get")),
    ("another operationId", lambda d: post(d).update(operationId="make")),
    ("GET /open now needs a token", lambda d: d["paths"]["/open"]["get"].pop("security")),
    ("parameter q is gone", lambda d: post(d)["parameters"].pop()),
    ("parameter q is now required", lambda d: post(d)["parameters"][1].update(required=True)),
    (
        "path parameter id is now required",
        lambda d: post(d)["parameters"].append(
            {"in": "path", "name": "id", "required": True, "schema": {}}
        ),
    ),
    ("minimum was 1 and is now 2", lambda d: limit(d).update(minimum=2)),
    ("maximum was 200 and is now 100", lambda d: limit(d).update(maximum=100)),
    ("multipleOf was free and is now 10", lambda d: limit(d).update(multipleOf=10)),
    ("now requires a body", lambda d: post(d)["requestBody"].update(required=True)),
    ("no longer takes a body", lambda d: post(d).pop("requestBody")),
    (
        "no longer takes application/json",
        lambda d: post(d)["requestBody"].update(content={"text/plain": {"schema": {}}}),
    ),
    ("body lost the field name", lambda d: fields(d, "Create").pop("name")),
    (
        "body now requires name",
        lambda d: d["components"]["schemas"]["Create"]["required"].append("name"),
    ),
    (
        "body no longer takes other fields",
        lambda d: d["components"]["schemas"]["Create"].update(additionalProperties=False),
    ),
    ("maxLength was 200 and is now 9", lambda d: fields(d, "Create")["key"].update(maxLength=9)),
    ("pattern was free", lambda d: fields(d, "Create")["key"].update(pattern="^a$")),
    ("body.key was string and is now integer", lambda d: fields(d, "Create").update(key=INTEGER)),
    ("body.name is no longer taken as null", lambda d: fields(d, "Create").update(name=STRING)),
    ('no longer takes "chat"', lambda d: fields(d, "Create")["kind"]["enum"].pop()),
    ("takes only", lambda d: fields(d, "Create")["key"].update(enum=["a"])),
    ("body.weight was number", lambda d: fields(d, "Create").update(weight=INTEGER)),
    ("body.tags[] was string", lambda d: fields(d, "Create")["tags"].update(items=INTEGER)),
    ("body.step(wait).seconds was number", lambda d: fields(d, "Wait").update(seconds=INTEGER)),
    (
        "body.step no longer takes the type wait",
        lambda d: fields(d, "Create")["step"]["discriminator"]["mapping"].clear(),
    ),
    (
        "body.again lost the field key",
        lambda d: fields(d, "Create").update(again=fields(d, "Create")["step"]),
    ),
    ("body.any was anything", lambda d: fields(d, "Create").update(any=STRING)),
    (
        "body.labels.* was string",
        lambda d: fields(d, "Create")["labels"].update(additionalProperties=INTEGER),
    ),
    ("no longer answers 304", lambda d: post(d)["responses"].pop("304")),
    ("lost the header ETag", lambda d: post(d)["responses"]["200"].pop("headers")),
    ("is no longer application/json", lambda d: post(d)["responses"]["200"].pop("content")),
    ("answer 200 lost the field model", lambda d: fields(d, "Prompt").pop("model")),
    ("answer 200.tags[] lost the field name", lambda d: fields(d, "Tag").pop("name")),
    (
        "may now come without id",
        lambda d: d["components"]["schemas"]["Prompt"]["required"].remove("id"),
    ),
    (
        "answer 200.id may now also be null",
        lambda d: fields(d, "Prompt").update(id={"type": ["string", "null"]}),
    ),
    ("answer 200.ratio was integer", lambda d: fields(d, "Prompt")["ratio"].update(type="number")),
    ("was string (date-time)", lambda d: fields(d, "Prompt")["at"].pop("format")),
    ("tags has other items", lambda d: fields(d, "Prompt")["tags"].pop("items")),
    ("the schema Error lost the field code", lambda d: fields(d, "Error").pop("code")),
]


@pytest.mark.parametrize(("loss", "change"), LOSSES, ids=[loss for loss, _ in LOSSES])
def test_each_loss_is_found(loss: str, change: Change) -> None:
    changed = small()
    change(changed)
    losses_found = losses(small(), changed)
    assert losses_found
    assert loss in " / ".join(losses_found)


ADDITIONS: list[tuple[str, Change]] = [
    ("nothing", lambda _document: None),
    ("a path", lambda d: d["paths"].update({"/new": d["paths"]["/open"]})),
    ("an operation", lambda d: d["paths"]["/open"].update(put={"responses": {}})),
    (
        "a parameter",
        lambda d: post(d)["parameters"].append({"in": "query", "name": "x", "schema": {}}),
    ),
    ("no token needed", lambda d: post(d).update(security=[])),
    ("wider bounds", lambda d: limit(d).update(minimum=0, maximum=500)),
    ("a bound less", lambda d: limit(d).pop("maximum")),
    ("a field of a request", lambda d: fields(d, "Create").update(note=STRING)),
    (
        "a field is no longer required",
        lambda d: d["components"]["schemas"]["Create"].update(required=[]),
    ),
    ("null in a request", lambda d: fields(d, "Create").update(key={"type": ["string", "null"]})),
    ("a value in a request", lambda d: fields(d, "Create")["kind"]["enum"].append("image")),
    ("any value in a request", lambda d: fields(d, "Create")["kind"].pop("enum")),
    ("anything in a request", lambda d: fields(d, "Create").update(key={})),
    ("integers become numbers", lambda d: limit(d).update(type="number")),
    ("a field of an answer", lambda d: fields(d, "Prompt").update(note=STRING)),
    ("a value in an answer", lambda d: fields(d, "Prompt")["status"]["enum"].append("running")),
    (
        "kinds of an object",
        lambda d: fields(d, "Create").update(loose=fields(d, "Create")["step"]),
    ),
    ("no null in an answer", lambda d: fields(d, "Prompt").update(model=STRING)),
    (
        "always there",
        lambda d: d["components"]["schemas"]["Prompt"]["required"].append("model"),
    ),
    ("an answer", lambda d: post(d)["responses"].update({"202": {}})),
    ("an error", lambda d: post(d)["responses"].update({"409": {}})),
    ("an error less", lambda d: post(d)["responses"].pop("400")),
    ("a description", lambda d: post(d).update(description="Makes a prompt.")),
]


@pytest.mark.parametrize(
    "change", [change for _, change in ADDITIONS], ids=[name for name, _ in ADDITIONS]
)
def test_additions_are_no_losses(change: Change) -> None:
    changed = small()
    change(changed)
    assert losses(small(), changed) == []


def test_moving_a_schema_under_another_name_is_no_loss() -> None:
    changed = copy.deepcopy(small())
    schemas = changed["components"]["schemas"]
    schemas["NewPrompt"] = schemas.pop("Create")
    text = json.dumps(changed).replace(
        "#/components/schemas/Create", "#/components/schemas/NewPrompt"
    )
    assert losses(small(), json.loads(text)) == []
