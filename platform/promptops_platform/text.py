"""Texts that callers send: what is refused, so that every database and old client can hold it."""

import math
import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints

# Prefect refuses / % & < > in the names of flows, which are made from keys; the others would have
# to be escaped by hand in a URL or a shell.
KEY_REFUSED = re.compile(r"""[\s/\\%&<>?#"']""")
LONGEST_KEY = 200
LONGEST_LABEL = 64
LONGEST_LINE = 500
LONGEST_CONTENT = 262_144
LINE_BREAKS = "\t\n\r"


def refuse_unprintable(value: str) -> str:
    """Refuse control characters (but tab, LF and CR) and lone surrogates."""
    for character in value:
        if character < " " and character not in LINE_BREAKS:
            raise ValueError(f"holds the control character U+{ord(character):04X}; remove it")
        if "\ud800" <= character <= "\udfff":
            raise ValueError(
                f"holds the lone surrogate U+{ord(character):04X}, which is not text; remove it"
            )
    return value


def _one_line(value: str) -> str:
    for character in refuse_unprintable(value):
        if unicodedata.category(character) == "Cc":
            raise ValueError(f"holds the control character U+{ord(character):04X}; remove it")
    return value


def _key(value: str) -> str:
    found = KEY_REFUSED.search(_one_line(value))
    if found:
        raise ValueError(
            f"holds {found.group()!r}; a key takes letters, digits and signs like - _ . : but no "
            "blanks, quotes or any of / \\ % & < > ? #"
        )
    if value in {".", ".."}:
        raise ValueError("can't be a dot or two, which are folders in a URL")
    return value


def _label(value: str) -> str:
    return _key(value)


def _refuse_unprintable_inside(value: Any) -> Any:
    """As `refuse_unprintable`, in every text of a JSON value; also refuses NaN and Infinity."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            refuse_unprintable(each)
        elif isinstance(each, dict):
            pending.extend(each.keys())
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError("holds NaN or Infinity, which is not JSON; send a number or null")
    return value


def _empty_is_not_given(value: object) -> object:
    return None if value == "" else value


Key = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_KEY), AfterValidator(_key)]
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_LABEL), AfterValidator(_label)
]
Line = Annotated[str, StringConstraints(max_length=LONGEST_LINE), AfterValidator(_one_line)]
Content = Annotated[
    str, StringConstraints(max_length=LONGEST_CONTENT), AfterValidator(refuse_unprintable)
]
Json = Annotated[Any, AfterValidator(_refuse_unprintable_inside)]

# "Not given" and the empty text are the same to existing clients in these places.
OptionalLabel = Annotated[Label | None, BeforeValidator(_empty_is_not_given)]
OptionalLine = Annotated[Line | None, BeforeValidator(_empty_is_not_given)]

# An id in a path: whatever it is, it is looked up; only what no database takes is refused.
ResourceId = Annotated[str, StringConstraints(max_length=LONGEST_KEY), AfterValidator(_one_line)]
