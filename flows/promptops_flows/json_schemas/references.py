"""Resolves the references of a schema, and measures the schema with references replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from promptops_flows.json_schemas.keywords import ANCHORS, inner_schemas
from promptops_flows.json_schemas.limits import (
    MAX_EXPANDED_NODES,
    MAX_IN_PLACE_DEPTH,
    SchemaRefusedError,
)

_MISSING = object()
_INDEX = re.compile(r"0|[1-9][0-9]{0,6}")


class References:
    """The targets of `#`, `#/pointer/to/it` and `#anchor` in one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._anchors = dict(_anchors(root))

    def target(self, reference: str) -> Any:
        """The target of a reference; raises `SchemaRefusedError`."""
        if not reference.startswith("#"):
            raise SchemaRefusedError(
                f"refers to {reference!r}, which is not part of it; refer to its own $defs by "
                "#/$defs/…"
            )
        name = unquote(reference[1:])
        if not name or name.startswith("/"):
            target = _at_pointer(self._root, name.split("/")[1:])
        else:
            target = self._anchors.get(name, _MISSING)
        if target is _MISSING:
            raise SchemaRefusedError(
                f"refers to {reference!r}, which doesn't exist; define it under $defs"
            )
        return target


def _anchors(root: Any) -> Iterator[tuple[str, Any]]:
    pending = [root]
    while pending:
        schema = pending.pop()
        if isinstance(schema, dict):
            for keyword in ANCHORS:
                if isinstance(schema.get(keyword), str):
                    yield schema[keyword], schema
            pending.extend(inner for _, inner, _ in inner_schemas(schema))


def _at_pointer(root: Any, parts: list[str]) -> Any:
    target = root
    for part in parts:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict) and name in target:
            target = target[name]
        elif isinstance(target, list) and _INDEX.fullmatch(name) and int(name) < len(target):
            target = target[int(name)]
        else:
            return _MISSING
    return target


# For each schema, by its identity: the number of its own values, and the schemas that it applies.
Graph = Mapping[int, tuple[int, list[int]]]


def check_in_place(graph: Graph) -> None:
    """Raises `SchemaRefusedError` if the schemas for the same value recurse endlessly or too
    deep."""
    depths: dict[int, int] = {}
    for node in _children_first(graph, _refuse_endless):
        depths[node] = 1 + max((depths[child] for child in graph[node][1]), default=0)
        if depths[node] > MAX_IN_PLACE_DEPTH:
            raise SchemaRefusedError(
                f"has more than {MAX_IN_PLACE_DEPTH} references and combinations inside one "
                "another for the same value, which is the limit; simplify it"
            )


def check_expanded_size(graph: Graph) -> None:
    """Raises `SchemaRefusedError` if the schema grows too large when its references are replaced. A
    reference to a schema around it, as in a tree, counts as one value."""
    sizes: dict[int, int] = {}
    for node in _children_first(graph, lambda _: None):
        own, children = graph[node]
        sizes[node] = own + sum(sizes.get(child, 1) for child in children)
        if sizes[node] > MAX_EXPANDED_NODES:
            raise SchemaRefusedError(
                f"has more than {MAX_EXPANDED_NODES:,} values once its references are replaced by "
                "what they refer to, which is the limit; refer to each definition less often"
            )


def _refuse_endless(_node: int) -> None:
    raise SchemaRefusedError(
        "refers to itself without end; put the reference under properties or items, so that each "
        "round takes a part of the value"
    )


def _children_first(graph: Graph, on_cycle: Callable[[int], None]) -> Iterator[int]:
    """Every schema after those that it applies; `on_cycle` is called for those that lead back."""
    under_way, done = set[int](), set[int]()
    for start in graph:
        pending = [(start, iter(graph[start][1]))] if start not in done else []
        under_way.update(node for node, _ in pending)
        while pending:
            node, children = pending[-1]
            child = next(children, None)
            if child is None:
                pending.pop()
                under_way.discard(node)
                done.add(node)
                yield node
            elif child in under_way:
                on_cycle(child)
            elif child not in done:
                under_way.add(child)
                pending.append((child, iter(graph[child][1])))
