"""Slightly changed JSON values: what a broken, hostile or new vendor may send."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

# Values that may replace any other.
STRANGERS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 5, 2**31, 2**63 - 1, 2**64, -(2**63), 10**300, 1.5, 1e20, -0.0),
    *(
        "",
        " ",
        "x",
        "12",
        "null",
        "{}",
        "[]",
        '{"a": 1}',
        "[1",
        "\x00",
        "\ud83d",
        "\ude00",
        "\u2028",
    ),
    *("error", "stop", "tool_calls", "content_filter", "of_tomorrow", "a" * 5_000),
    *([], {}, [None], [[]], [5], ["a"], {"a": 1}, {"text": 5}, [{"text": None}], {"": {}}),
    {"type": "function", "function": None},
    {"code": "x", "message": 5},
    {"message": {"message": "x"}},
)
Path = tuple[int | str, ...]


def mutated(value: Any, chance: random.Random, most: int = 3) -> Any:
    """A copy of the value with one to `most` places changed."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, most)):
        places = list(_places(changed))
        if places:
            _change(changed, chance.choice(places), chance)
    return changed


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    for name, item in inner:
        # A named event is a tuple, and stays one.
        if not isinstance(value, tuple):
            yield (*path, name)
        yield from _places(item, (*path, name))


def _change(value: Any, path: Path, chance: random.Random) -> None:
    for name in path[:-1]:
        value = value[name]
    last: Any = path[-1]
    if not isinstance(value, dict | list):
        return
    kind = chance.randrange(6)
    if kind == 0:
        del value[last]
    elif kind == 1 and isinstance(value, list):
        value.insert(last, copy.deepcopy(value[last]))
    elif kind == 2 and isinstance(value, list):
        chance.shuffle(value)
    elif kind == 3:
        value[last] = [value[last]]
    else:
        value[last] = copy.deepcopy(chance.choice(STRANGERS))
