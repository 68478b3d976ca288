"""Compares two states of a definition."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from promptops_platform.definitions.content import exact
from promptops_platform.definitions.schemas import ChangedField, ChangedItem, DefinitionDiff
from promptops_platform.definitions.text_diff import MOST_LINES, unified


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], *, from_: str, to: str
) -> DefinitionDiff:
    """Return the changes from one definition to the other."""
    same = exact(before) == exact(after)
    lists = {name for name in {**before, **after} if _is_named_list(before, after, name)}
    items = [item for name in sorted(lists) for item in _items(name, before, after)]
    return DefinitionDiff(
        from_=from_,
        to=to,
        same=same,
        fields=list(_fields(before, after, leave_out=lists)),
        items=items,
        text="" if same else unified(_pretty(before), _pretty(after), from_, to),
    )


def _is_named_list(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    """Whether the field is a list of objects on both sides, such as steps or tools."""
    return all(
        isinstance(side.get(name, []), list)
        and all(isinstance(item, Mapping) for item in side.get(name, []))
        for side in (before, after)
    ) and bool(before.get(name) or after.get(name))


def _fields(
    before: Mapping[str, Any], after: Mapping[str, Any], leave_out: set[str] | None = None
) -> Iterator[ChangedField]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if exact(old) == exact(new) or name in (leave_out or ()):
            continue
        both_texts = isinstance(old, str) and isinstance(new, str)
        text = unified(str(old), str(new), "before", "after") if both_texts else ""
        yield ChangedField(name=name, before=old, after=new, text=text)


def _items(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ChangedItem]:
    old, new = before.get(name, []), after.get(name, [])
    for i, j in _pairs(old, new):
        left = None if i is None else old[i]
        right = None if j is None else new[j]
        if i == j and exact(left) == exact(right):
            continue
        yield ChangedItem(
            within=name,
            name=str((right or left or {}).get("name") or ""),
            before_index=i,
            after_index=j,
            before=left,
            after=right,
            fields=list(_fields(left or {}, right or {})) if left and right else [],
        )


def _pairs(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int | None, int | None]]:
    """Pair the elements of two lists: by name if names are unique on both sides, otherwise equal
    elements first and the elements between them in order."""
    names = [[str(item.get("name") or "") for item in side] for side in (old, new)]
    if all(len(set(side)) == len(side) and "" not in side for side in names):
        places = {name: j for j, name in enumerate(names[1])}
        yield from ((i, places.get(name)) for i, name in enumerate(names[0]))
        before_names = set(names[0])
        yield from ((None, j) for j, name in enumerate(names[1]) if name not in before_names)
        return
    if max(len(old), len(new)) > MOST_LINES:
        yield from zip_longest(range(len(old)), range(len(new)))
        return
    texts = [[exact(item) for item in side] for side in (old, new)]
    matcher = SequenceMatcher(None, texts[0], texts[1], autojunk=False)
    for _tag, a, b, c, d in matcher.get_opcodes():
        yield from zip_longest(range(a, b), range(c, d))


def _pretty(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
