"""Paging of lists, as in the wire contract: always for logs, on request for other lists."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import AfterValidator, BeforeValidator, Field

from promptops_platform.db.pages import Part

LONGEST_PAGE = 200
DEFAULT_PAGE = 50


def _empty_is_not_given(value: object) -> object:
    return DEFAULT_PAGE if value == "" else value


def _at_most_a_page(value: int) -> int:
    """Cap a larger limit at the longest page, as existing clients expect."""
    return min(value, LONGEST_PAGE)


Limit = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most_a_page),
    BeforeValidator(_empty_is_not_given),
    Query(description=f"At most {LONGEST_PAGE}; larger numbers are capped."),
]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]
OptionalLimit = Annotated[
    Limit | None, BeforeValidator(lambda value: None if value == "" else value)
]


def paged_by(*fields: str) -> Any:
    """A dependency for `limit`, `offset` and `sort` by one of these fields, `-field` for
    descending: `Annotated[Part, paged_by("name")]`."""
    orders = tuple(order for field in fields for order in (field, f"-{field}"))
    empty_is_not_given = BeforeValidator(lambda value: None if value == "" else value)
    described = Query(description="Field to sort by, descending with `-` before it.")
    # Any, because mypy can't express a choice that is made at run time.
    choice: Any = Literal.__getitem__(orders)
    sort_type = Annotated[choice | None, empty_is_not_given, described]

    def part(
        limit: OptionalLimit = None,
        offset: Offset = 0,
        sort: sort_type = None,
    ) -> Part:
        return Part(limit, offset, sort)

    return Depends(part)
