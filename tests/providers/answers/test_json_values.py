from typing import Any

import pytest

from promptops_providers.answers.json_values import (
    MAX_COUNT,
    count_at,
    object_at,
    objects_at,
    text_at,
)


@pytest.mark.parametrize(
    ("value", "text", "count", "inner", "objects"),
    [
        ("a", "a", 0, {}, []),
        (3, "", 3, {}, []),
        (-3, "", 0, {}, []),
        (2**63 - 1, "", MAX_COUNT, {}, []),
        (10**400, "", MAX_COUNT, {}, []),
        (1e20, "", 0, {}, []),
        ("12", "12", 0, {}, []),
        (True, "", 0, {}, []),
        (1.5, "", 0, {}, []),
        (None, "", 0, {}, []),
        ({"b": 1}, "", 0, {"b": 1}, []),
        ([{"b": 1}, "c", None], "", 0, {}, [{"b": 1}]),
    ],
)
def test_what_is_of_another_type_is_empty(
    value: Any, text: str, count: int, inner: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    body = {"a": value}
    assert (text_at(body, "a"), count_at(body, "a")) == (text, count)
    assert (object_at(body, "a"), objects_at(body, "a")) == (inner, objects)


def test_what_is_missing_is_empty() -> None:
    empty: tuple[Any, ...] = ("", 0, {}, [])
    assert tuple(read({}, "a") for read in (text_at, count_at, object_at, objects_at)) == empty
