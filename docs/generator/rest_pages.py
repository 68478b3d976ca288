"""The reference of the REST API, from docs/openapi.json: a page for each tag, and one of schemas."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markdown import SOURCE_NOTE, cell, code, fenced, table

METHODS = ("get", "post", "put", "patch", "delete")
Json = Mapping[str, Any]


def pages(root: Path) -> dict[str, str]:
    document = json.loads((root / "docs" / "openapi.json").read_text(encoding="utf-8"))
    tags = {tag["name"]: tag.get("description", "") for tag in document["tags"]}
    by_tag = {
        f"reference/rest/{name}.md": _tag_page(name, text, document) for name, text in tags.items()
    }
    return {
        "reference/rest/index.md": _index(tags, document),
        "reference/rest/schemas.md": _schemas_page(document),
        **by_tag,
    }


def operations(document: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    """Method, path and operation of a tag."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item and tag in item[method].get("tags", ()):
                yield method.upper(), path, item[method]


def _index(tags: Mapping[str, str], document: Json) -> str:
    rows = [
        (f"[{name}]({name}.md)", cell(text), str(len(list(operations(document, name)))))
        for name, text in tags.items()
    ]
    return (
        f"{SOURCE_NOTE}# REST API\n\nEvery platform shows this reference under `/docs`, where you can "
        "try it, and serves it as OpenAPI under `/openapi.json`. Send `Authorization: Bearer TOKEN` "
        "with an API key, a session or the static token. Errors have the field `error`, and `code`, "
        "by which programs tell them apart. [Compatibility](../../compatibility.md) describes the "
        "contract of existing clients.\n\n"
        + table(("Tag", "", "Routes"), rows)
        + "[Schemas](schemas.md) lists all bodies.\n"
    )


def _tag_page(name: str, text: str, document: Json) -> str:
    parts = [_operation(*one) for one in operations(document, name)]
    return f"{SOURCE_NOTE}# REST: {name}\n\n{text}\n\n" + "".join(parts)


def _operation(method: str, path: str, operation: Json) -> str:
    description = operation.get("description", "").replace("<", "&lt;")
    permission = operation.get("x-permission")
    needs = f"Permission: `{permission}`\n\n" if permission else ""
    return (
        f"## {method} {code(path)}\n\n{description}\n\n{needs}"
        + _parameters(operation.get("parameters", ()))
        + _body(operation.get("requestBody"))
        + _answer(operation["responses"])
    )


def _parameters(parameters: Any) -> str:
    rows = [
        (
            code(one["name"]),
            one["in"],
            _kind(one["schema"]),
            "yes" if one.get("required") else "",
            cell(one.get("description", "")),
        )
        for one in parameters
    ]
    return table(("Parameter", "In", "Type", "Required", ""), rows)


def _body(body: Json | None) -> str:
    if body is None:
        return ""
    kinds = [_kind(media.get("schema", {})) for media in body["content"].values()]
    return f"Body: {', '.join(kinds)}\n\n"


def _answer(responses: Json) -> str:
    lines = []
    for status, answer in responses.items():
        if not status.startswith("2"):
            continue
        media = answer.get("content", {})
        kinds = [_kind(one.get("schema", {})) or code(kind) for kind, one in media.items()]
        lines.append(f"{status}: {', '.join(kinds) or cell(answer.get('description', ''))}")
    errors = ", ".join(status for status in responses if not status.startswith("2"))
    return f"Response: {'; '.join(lines)}\n\n" + (f"Errors: {errors}\n\n" if errors else "")


def _schemas_page(document: Json) -> str:
    schemas = document["components"]["schemas"]
    parts = [_schema(name, schema) for name, schema in sorted(schemas.items())]
    return f"{SOURCE_NOTE}# REST: schemas\n\n" + "".join(parts)


def _schema(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        (
            code(field),
            _kind(kind),
            "yes" if field in required else "",
            cell(kind.get("description", "")),
        )
        for field, kind in schema.get("properties", {}).items()
    ]
    text = schema.get("description", "").replace("<", "&lt;")
    example = schema.get("examples", [None])[0]
    shown = fenced("json", json.dumps(example, indent=2, ensure_ascii=False)) if example else ""
    fields = table(("Field", "Type", "Required", ""), rows) or f"{_kind(schema)}\n\n"
    return f"## {_short(name)}\n\n{text}\n\n{fields}{shown}"


def _short(name: str) -> str:
    """A name that several rooms have comes with its path; the room is enough."""
    path = name.split("__")
    return name if len(path) == 1 else f"{path[1]}-{path[-1]}"


def _kind(schema: Json) -> str:
    """A type in a word or two, with a link to a schema that has a name."""
    if "$ref" in schema:
        name = _short(schema["$ref"].rpartition("/")[2])
        return f"[{name}](schemas.md#{re.sub('[^a-z0-9]+', '-', name.lower())})"
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in schema:
            kinds = [_kind(one) for one in schema[joined] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(filter(None, kinds)))
    if "enum" in schema:
        return ", ".join(code(json.dumps(value)) for value in schema["enum"])
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {})) or 'anything'}"
    return str(schema.get("type", ""))
