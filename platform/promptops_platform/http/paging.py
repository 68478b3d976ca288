"""Paging of lists, as the wire contract has it: the logs always, other lists on request."""

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

LONGEST_PAGE = 200
DEFAULT_PAGE = 50


def _at_most_a_page(value: object) -> object:
    """A larger limit is cut to the longest page, as existing clients expect; an empty one means
    not given."""
    if value == "":
        return DEFAULT_PAGE
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return min(int(value[:9]), LONGEST_PAGE)
    return value


Limit = Annotated[
    int,
    BeforeValidator(_at_most_a_page),
    Query(ge=1, le=LONGEST_PAGE, description=f"At most {LONGEST_PAGE}; more is cut to that."),
]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]
OptionalLimit = Annotated[
    Limit | None, BeforeValidator(lambda value: None if value == "" else value)
]
