"""Paging of lists, as the wire contract has it: the logs always, other lists on request."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator, Field

LONGEST_PAGE = 200
DEFAULT_PAGE = 50


def _empty_is_not_given(value: object) -> object:
    return DEFAULT_PAGE if value == "" else value


def _at_most_a_page(value: int) -> int:
    """A larger limit is cut to the longest page, as existing clients expect."""
    return min(value, LONGEST_PAGE)


Limit = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most_a_page),
    BeforeValidator(_empty_is_not_given),
    Query(description=f"At most {LONGEST_PAGE}; more is cut to that."),
]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]
OptionalLimit = Annotated[
    Limit | None, BeforeValidator(lambda value: None if value == "" else value)
]
