"""Incompatible differences of an API description from an earlier one, which would break callers.

Requests may only become less restricted, responses only more restricted or richer in fields.
Additions are compatible, and so are new values of a response's enum: clients must accept those.
Rules over several fields, in `allOf`, are not compared: they describe what was always refused. So
does a `discriminator` where the object had no fields before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EXACT = ("pattern", "format", "multipleOf")


def losses(old: Json, new: Json) -> list[str]:
    """A sentence for each loss; none if every caller of `old` works with `new`."""
    comparison = _Comparison(old, new)
    return [*comparison.document(), *comparison.errors()]


@dataclass(frozen=True)
class _Comparison:
    """The comparison of two documents, from the paths down to the schemas."""

    old: Json
    new: Json

    def document(self) -> Iterator[str]:
        for path, item in self.old["paths"].items():
            for method, operation in item.items():
                place = f"{method.upper()} {path}"
                now = self.new["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{place} is gone"
                else:
                    yield from self.operation(place, operation, now)

    def operation(self, place: str, old: Json, new: Json) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{place} has another operationId"
        if self._open(self.old, old) and not self._open(self.new, new):
            yield f"{place} now needs a token"
        yield from self.parameters(place, old, new)
        yield from self.request_body(place, old.get("requestBody"), new.get("requestBody"))
        yield from self.responses(place, old["responses"], new["responses"])

    @staticmethod
    def _open(document: Json, operation: Json) -> bool:
        return not operation.get("security", document.get("security"))

    def parameters(self, place: str, old: Json, new: Json) -> Iterator[str]:
        before = {
            (parameter["in"], parameter["name"]): parameter
            for parameter in old.get("parameters", [])
        }
        after = {
            (parameter["in"], parameter["name"]): parameter
            for parameter in new.get("parameters", [])
        }
        for key, parameter in before.items():
            where = f"{place}, {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{where} is gone"
                continue
            yield from self.request(where, parameter["schema"], after[key]["schema"])
        for key, parameter in after.items():
            was_required = before.get(key, {}).get("required", False)
            if parameter.get("required") and not was_required:
                yield f"{place}, {key[0]} parameter {key[1]} is now required"

    def request_body(self, place: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{place} now requires a body"
        if old is None:
            return
        if new is None:
            yield f"{place} no longer takes a body"
            return
        for media_type, content in old["content"].items():
            if media_type not in new["content"]:
                yield f"{place} no longer takes {media_type}"
            else:
                now = new["content"][media_type]["schema"]
                yield from self.request(f"{place}, body", content["schema"], now)

    def responses(self, place: str, old: Json, new: Json) -> Iterator[str]:
        for status, response in old.items():
            if int(status) >= 400:
                continue
            if status not in new:
                yield f"{place} no longer answers {status}"
                continue
            where, now = f"{place}, answer {status}", new[status]
            for header in response.get("headers", {}):
                if header not in now.get("headers", {}):
                    yield f"{where} lost the header {header}"
            for media_type, content in response.get("content", {}).items():
                if media_type not in now.get("content", {}):
                    yield f"{where} is no longer {media_type}"
                else:
                    schema = now["content"][media_type]["schema"]
                    yield from self.answer(where, content["schema"], schema)

    def errors(self) -> Iterator[str]:
        """All errors have the same form, so their schema is compared once."""
        old, new = (document["components"]["schemas"]["Error"] for document in (self.old, self.new))
        yield from self.answer("the schema Error", old, new)

    def request(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Every request that was valid must still be valid."""
        yield from _Schemas(self.old, self.new, "request").compare(where, old, new)

    def answer(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Every response must be one that callers expect."""
        yield from _Schemas(self.old, self.new, "answer").compare(where, old, new)


@dataclass(frozen=True)
class _Schemas:
    """The comparison of two schemas, in one direction."""

    old: Json
    new: Json
    direction: Literal["request", "answer"]
    # Pairs of references under comparison, for recursive schemas.
    open: frozenset[tuple[str, str]] = frozenset()

    def compare(self, where: str, old: Json, new: Json) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair) and pair in self.open:
            return
        inside = _Schemas(self.old, self.new, self.direction, self.open | {pair})
        if self.direction == "request" and "discriminator" in new:
            if _is_loose_object(old):
                return
            if "discriminator" in old:
                yield from inside.variants(where, old["discriminator"], new["discriminator"])
                return
        before = list(_alternatives(self.old, old))
        after = list(_alternatives(self.new, new))
        if len(before) == len(after) == 1:
            yield from inside.one(where, before[0], after[0])
        elif self.direction == "request":
            yield from inside.each_in_some(where, before, after, "is no longer taken as")
        else:
            yield from inside.each_in_some(where, after, before, "may now also be")

    def variants(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Compare two discriminators, both with a mapping."""
        for value, reference in old["mapping"].items():
            if value not in new["mapping"]:
                yield f"{where} no longer takes the {old['propertyName']} {value}"
            else:
                now = {"$ref": new["mapping"][value]}
                yield from self.compare(f"{where}({value})", {"$ref": reference}, now)

    def each_in_some(
        self, where: str, these: list[Json], those: list[Json], change: str
    ) -> Iterator[str]:
        """Each of these alternatives must match one of those, or a part of one.

        If only one has the same type, its difference makes the better message.
        """
        for this in these:
            alike = [that for that in those if _kinds(this) & _kinds(that)]
            differences = [list(self._in_order(where, this, that)) for that in alike]
            if len(alike) == 1:
                yield from differences[0]
            elif not any(difference == [] for difference in differences):
                yield f"{where} {change} {_described(this)}"

    def _in_order(self, where: str, this: Json, that: Json) -> Iterator[str]:
        old, new = (this, that) if self.direction == "request" else (that, this)
        return self.one(where, old, new)

    def one(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Compare two schemas without alternatives."""
        narrower = self.direction == "request"
        wide, narrow = (new, old) if narrower else (old, new)
        if not _kinds(narrow) <= _kinds(wide):
            yield f"{where} was {_described(old)} and is now {_described(new)}"
            return
        if narrower:
            yield from _limits(where, old, new)
        elif old.get("format") != new.get("format"):
            yield f"{where} was {_described(old)} and is now {_described(new)}"
        yield from self.fields(where, old, new)
        if "items" in old and "items" in new:
            yield from self.compare(f"{where}[]", old["items"], new["items"])
        elif "items" in (new if narrower else old):
            yield f"{where} has other items"

    def fields(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{where} lost the field {name}"
            else:
                yield from self.compare(f"{where}.{name}", schema, after[name])
        extra, more = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(extra, dict) and isinstance(more, dict):
            yield from self.compare(f"{where}.*", extra, more)
        required, still = set(old.get("required", [])), set(new.get("required", []))
        if self.direction == "request":
            yield from (f"{where} now requires {name}" for name in sorted(still - required))
            if extra is not False and more is False:
                yield f"{where} no longer takes other fields"
        else:
            missing = sorted((required - still) & set(after))
            yield from (f"{where} may now come without {name}" for name in missing)


def _alternatives(document: Json, schema: Json) -> Iterator[Json]:
    """The alternatives of a schema, without references at their top level."""
    if "$ref" in schema:
        target: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        yield from _alternatives(document, target)
    elif any("$ref" in part for part in schema.get("allOf", ())):
        raise NotImplementedError("allOf is not compared; teach this module what it means")
    elif alternatives := schema.get("anyOf", schema.get("oneOf")):
        for alternative in alternatives:
            yield from _alternatives(document, alternative)
    elif isinstance(schema.get("type"), list):
        for type_ in schema["type"]:
            yield schema | {"type": type_}
    else:
        yield schema


def _is_loose_object(schema: Json) -> bool:
    return schema.get("type") == "object" and not schema.keys() & {"properties", "required"}


KINDS = frozenset({"null", "boolean", "integer", "fraction", "string", "array", "object"})


def _kinds(schema: Json) -> frozenset[str]:
    """The JSON types that the schema allows; a number is an integer or a fraction."""
    kind = schema.get("type")
    if kind is None:
        return KINDS
    return frozenset({"integer", "fraction"} if kind == "number" else {kind})


def _described(schema: Json) -> str:
    kind = schema.get("type", "anything")
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _limits(where: str, old: Json, new: Json) -> Iterator[str]:
    """The types that were allowed and no longer are."""
    values, now = _values(old), _values(new)
    if now is not None and values is None:
        yield f"{where} takes only {_listed(now)} now"
    elif now is not None and values is not None and values - now:
        yield f"{where} no longer takes {_listed(values - now)}"
    for name in LOWER_BOUNDS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{where}: {name} was {old.get(name, 'free')} and is now {new[name]}"
    for name in UPPER_BOUNDS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{where}: {name} was {old.get(name, 'free')} and is now {new[name]}"
    for name in EXACT:
        if name in new and old.get(name) != new[name]:
            yield f"{where}: {name} was {old.get(name, 'free')} and is now {new[name]}"


def _values(schema: Json) -> frozenset[str] | None:
    """The only allowed values, as JSON; None without such a list."""
    if "const" in schema:
        return frozenset({json.dumps(schema["const"])})
    return frozenset(map(json.dumps, schema["enum"])) if "enum" in schema else None


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values))
