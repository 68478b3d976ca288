"""Builds the API's OpenAPI document from the routes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from promptops_platform.access.guard import PUBLIC, Guard
from promptops_platform.http.examples import with_nulls
from promptops_platform.openapi.errors import ANSWERS, PERMISSION, SCHEMA, errors_by_rule
from promptops_platform.openapi.info import INFO, TAGS

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
# FastAPI declares these for its own error response, which this API never sends.
NEVER_ANSWERED = "422"
FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def describe(routers: Iterable[APIRouter], by_hand: Sequence[Json] = ()) -> Json:
    """Return the OpenAPI 3.1 document of the routes.

    `by_hand` describes what isn't a FastAPI route: documents with only `paths` and
    `components.schemas`, whose guarded operations have an `x-permission`. Raises ValueError for a
    route that neither names a permission nor is public, and for two operations with the same id.
    """
    routes = [
        route
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    document = with_nulls(
        get_openapi(
            title="PromptOps", version=version("promptops"), description=INFO, routes=routes
        )
    )
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["operationId"] = operation_id(str(route.tags[0]), route.name)
            operation |= _access(route)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for part in by_hand:
        document["paths"] |= part["paths"]
        schemas |= part["components"]["schemas"]
    _declare_errors(document)
    _declare_tags(document)
    _check_ids(document)
    return _with_readable_names(document)


def as_text(document: Json) -> str:
    """Return the document in its committed form: sorted, so that a diff shows what has changed."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def operation_id(tag: str, function: str) -> str:
    """Return the tag and the name of the route's function, without the words that repeat the tag.

    `prompts` and `publish_prompt` make `prompts_publish`.
    """
    repeated = {tag, tag.removesuffix("s")}
    return "_".join([tag, *(word for word in function.split("_") if word not in repeated)])


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield path, method and operation of each."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _access(route: APIRoute) -> Json:
    """Return who may call: a permission, or anybody."""
    calls = list(_dependencies(route.dependant))
    for call in calls:
        if isinstance(call, Guard):
            return {PERMISSION: call.permission.value}
    if PUBLIC.dependency not in calls:
        raise ValueError(f"{route.path} names no permission; add one, or PUBLIC")
    return {"security": []}


def _dependencies(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _dependencies(dependency)


def _declare_errors(document: Json) -> None:
    components = document["components"]
    for name in FASTAPI_ERRORS:
        components["schemas"].pop(name, None)
    used = set()
    for _path, method, operation in operations(document):
        responses = operation["responses"]
        responses.pop(NEVER_ANSWERED, None)
        declared = {int(status) for status in responses if int(status) >= 400}
        statuses = errors_by_rule(method, operation, document) | declared
        used |= statuses
        for status in sorted(statuses):
            responses[str(status)] = {"$ref": f"#/components/responses/{ANSWERS[status].name}"}
    components["schemas"]["Error"] = SCHEMA
    components["responses"] = {
        ANSWERS[status].name: ANSWERS[status].response() for status in sorted(used)
    }
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"bearer": []}]


def _with_readable_names(document: Json) -> Json:
    """Name schemas by their titles: pydantic would name `PromptData` by its parts,
    `Data_Prompt_`."""
    schemas: Json = document["components"]["schemas"]
    titles = Counter(schema.get("title") for schema in schemas.values())
    readable_names = {
        name: schema["title"] if titles[schema.get("title")] == 1 else name
        for name, schema in schemas.items()
    }
    document["components"]["schemas"] = {readable_names[name]: schemas[name] for name in schemas}
    renamed: Json = _with_refs(
        document, {SCHEMAS + old: SCHEMAS + new for old, new in readable_names.items()}
    )
    return renamed


def _with_refs(node: Any, readable_names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_with_refs(item, readable_names) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: readable_names.get(value, value)
        if name == "$ref"
        else _with_refs(value, readable_names)
        for name, value in node.items()
    }


def _declare_tags(document: Json) -> None:
    used = {tag for _path, _method, operation in operations(document) for tag in operation["tags"]}
    document["tags"] = [
        {"name": tag, "description": TAGS[tag]} if tag in TAGS else {"name": tag}
        for tag in sorted(used)
    ]


def _check_ids(document: Json) -> None:
    seen: dict[str, str] = {}
    for path, method, operation in operations(document):
        name, place = operation["operationId"], f"{method.upper()} {path}"
        if name in seen:
            raise ValueError(f"{seen[name]} and {place} are both {name}; rename one's function")
        seen[name] = place
