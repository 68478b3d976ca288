"""Texts that callers send: what is refused, so that every database and old client can hold it."""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

# Prefect refuses / % & < > in the names of flows, which are made from keys; the others would have
# to be escaped by hand in a URL or a shell.
KEY_REFUSED = re.compile(r"""[\s/\\%&<>?#"']""")
LONGEST_KEY = 200
LONGEST_LABEL = 64
LONGEST_LINE = 500
LONGEST_CONTENT = 262_144
LONGEST_NAME = 200
DEEPEST_JSON = 100
# Control characters but tab, LF and CR, and halves of a surrogate pair, which are not text.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
LINE_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def refuse_unprintable(value: str) -> str:
    """Refuse control characters (but tab, LF and CR) and lone surrogates."""
    found = UNPRINTABLE.search(value)
    if found:
        code = ord(found.group())
        kind = "control character" if code < 0x20 else "lone surrogate"
        raise ValueError(f"holds the {kind} U+{code:04X}; remove it")
    return value


def _one_line(value: str) -> str:
    found = LINE_CONTROL.search(refuse_unprintable(value))
    if found:
        raise ValueError(f"holds the control character U+{ord(found.group()):04X}; remove it")
    return value


def _key(value: str) -> str:
    found = KEY_REFUSED.search(_one_line(value))
    if found:
        raise ValueError(
            f"holds {found.group()!r}; use letters, digits and signs like - _ . : but no blanks, "
            "quotes or any of / \\ % & < > ? #"
        )
    if value in {".", ".."}:
        raise ValueError("can't be a dot or two, which are folders in a URL")
    return value


def _without_colon(value: str) -> str:
    if ":" in value:
        raise ValueError("holds ':', which stands between slug and key; use - instead")
    return value


def refuse_unprintable_inside(value: Any) -> Any:
    """As `refuse_unprintable`, in every text of a JSON value; also refuses NaN and Infinity."""
    pending = [(value, 0)]
    while pending:
        each, depth = pending.pop()
        if depth > DEEPEST_JSON:
            raise ValueError(f"is nested more than {DEEPEST_JSON} deep; flatten it")
        if isinstance(each, str):
            refuse_unprintable(each)
        elif isinstance(each, dict):
            pending.extend((inner, depth + 1) for pair in each.items() for inner in pair)
        elif isinstance(each, list):
            pending.extend((inner, depth + 1) for inner in each)
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError("holds NaN or Infinity, which is not JSON; send a number or null")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range; use a year from 2 to 9998") from error


def _empty_is_not_given(value: object) -> object:
    return None if value == "" else value


def _pattern(refused: str) -> Any:
    """For the API description, as the validators' searches say nothing there."""
    return Field(json_schema_extra={"pattern": f"^[^{refused}]*$"})


def _or_not_given(refused: str) -> WithJsonSchema:
    """A label in the API description where null and the empty text mean not given."""
    label = {"type": "string", "maxLength": LONGEST_LABEL, "pattern": f"^[^{refused}]*$"}
    return WithJsonSchema({"anyOf": [label, {"type": "null"}]})


_NO_LINE = r"\x00-\x1f\x7f-\x9f"
_NO_KEY = _NO_LINE + r"""\s/\\%&<>?#"'"""
_NO_CONTENT = r"\x00-\x08\x0b\x0c\x0e-\x1f"

Key = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_KEY),
    _pattern(_NO_KEY),
    AfterValidator(_key),
]
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_LABEL),
    _pattern(_NO_KEY),
    AfterValidator(_key),
]
Line = Annotated[
    str,
    StringConstraints(max_length=LONGEST_LINE),
    _pattern(_NO_LINE),
    AfterValidator(_one_line),
]
# Prefect knows no workspaces: a flow of another one is called `slug:key`.
Slug = Annotated[Label, AfterValidator(_without_colon)]
Name = Annotated[
    str,
    StringConstraints(max_length=LONGEST_NAME),
    _pattern(_NO_LINE),
    AfterValidator(_one_line),
]
Content = Annotated[
    str,
    StringConstraints(max_length=LONGEST_CONTENT),
    _pattern(_NO_CONTENT),
    AfterValidator(refuse_unprintable),
]
JsonObject = Annotated[dict[str, Any], AfterValidator(refuse_unprintable_inside)]
Json = Annotated[Any, AfterValidator(refuse_unprintable_inside)]

# "Not given" and the empty text are the same to existing clients in these places.
OptionalLabel = Annotated[
    Label | None, BeforeValidator(_empty_is_not_given), _or_not_given(_NO_KEY)
]
OptionalSlug = Annotated[
    Slug | None, BeforeValidator(_empty_is_not_given), _or_not_given(_NO_KEY + ":")
]
# With a zone: a time without one means another instant on every machine.
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
OptionalTime = Annotated[Time | None, BeforeValidator(_empty_is_not_given)]
OptionalLine = Annotated[Line | None, BeforeValidator(_empty_is_not_given)]
# The id of a numbered row.
Position = Annotated[int, Field(ge=1, le=2**63 - 1)]
OptionalPosition = Annotated[Position | None, BeforeValidator(_empty_is_not_given)]
OptionalName = Annotated[Name | None, BeforeValidator(_empty_is_not_given)]

# An id in a path: whatever it is, it is looked up; only what no database takes is refused.
ResourceId = Annotated[
    str,
    StringConstraints(max_length=LONGEST_KEY),
    _pattern(_NO_LINE),
    AfterValidator(_one_line),
]
