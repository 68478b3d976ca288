"""Types of texts that callers send: what they refuse, so that every database and existing client
can store it, and how names are normalized, so that names that look alike are equal."""

import math
import re
import unicodedata
from collections.abc import Callable
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

# Prefect refuses / % & < > in the names of flows, which are built from keys; the other characters
# would have to be escaped by hand in a URL or a shell.
KEY_REFUSED = re.compile(r"""[\s/\\%&<>?#"']""")
LONGEST_KEY = 200
LONGEST_LABEL = 64
LONGEST_LINE = 500
# A megabyte, even for texts with one byte per character.
LONGEST_CONTENT = 1_048_576
LONGEST_NAME = 200
DEEPEST_JSON = 100
# Control characters except tab, LF and CR, and lone surrogates, which are not text.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
LINE_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Unicode's format characters (Cf) and other invisible ones: bidirectional signs, joiners,
# zero-width spaces, fillers, tags, line separators.
_UNSEEN = (
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
# Two of them select whether a character is drawn as an emoji; people write these in titles.
INVISIBLE = re.compile(f"[{_UNSEEN}\ufe00-\ufe0f]")
INVISIBLE_IN_TITLES = re.compile(f"[{_UNSEEN}\ufe00-\ufe0d]")
# All spaces of Unicode, and the tab; not the other control characters, which are refused.
BLANKS = (
    "\t \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u3000"
)
# Ordering many combining marks takes time that is quadratic in their number, so texts with some are
# normalized in parts, split where nothing combines.
NORMALIZED_AT_ONCE = 32
COMBINING = re.compile(
    f"[{''.join(mark for mark in map(chr, range(0x300, 0x10000)) if unicodedata.combining(mark))}"
    "\U00010000-\U0010ffff]"
)
# A composed character has at most four parts, so longer texts don't fit after composition.
LONGEST_NORMALIZED = 4 * LONGEST_LINE


def refuse_unprintable(value: str) -> str:
    """Refuse control characters (except tab, LF and CR) and lone surrogates."""
    match = UNPRINTABLE.search(value)
    if match:
        code = ord(match.group())
        kind = "control character" if code < 0x20 else "lone surrogate"
        raise ValueError(f"contains the {kind} U+{code:04X}; remove it")
    return value


def composed(text: str) -> str:
    """Return `text` in Unicode's normal form C, in which equal-looking letters are the same
    characters."""
    if text.isascii():
        return text
    if not COMBINING.search(text):
        return unicodedata.normalize("NFC", text)
    parts, start = [], 0
    while start < len(text):
        end = _end_of_part(text, start)
        parts.append(unicodedata.normalize("NFC", text[start:end]))
        start = end
    return "".join(parts)


def _end_of_part(text: str, start: int) -> int:
    end = start + NORMALIZED_AT_ONCE
    if end >= len(text):
        return len(text)
    for place in range(end, start + NORMALIZED_AT_ONCE // 2, -1):
        # Vowels and finals of Hangul also combine with the preceding character.
        if not unicodedata.combining(text[place]) and not "\u1160" <= text[place] <= "\u11ff":
            return place
    return end


def _composed(value: object) -> object:
    if not isinstance(value, str) or len(value) > LONGEST_NORMALIZED:
        return value
    return composed(value)


def _tidy(value: object) -> object:
    """Return a name without surrounding blanks, composed."""
    value = _composed(value)
    return value.strip(BLANKS) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value:
        raise ValueError("is empty or blank; give it a name")
    return value


def _refuse(pattern: re.Pattern[str], kind: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        match = pattern.search(value)
        if match:
            raise ValueError(f"contains the {kind} U+{ord(match.group()):04X}; remove it")
        return value

    return check


_without_control = _refuse(LINE_CONTROL, "control character")
_without_invisible = _refuse(INVISIBLE, "invisible character")
_visible_title = _refuse(INVISIBLE_IN_TITLES, "invisible character")


def _one_line(value: str) -> str:
    return _without_control(refuse_unprintable(value))


def _title(value: str) -> str:
    return _visible_title(_one_line(value))


def tidied(value: str) -> str:
    """Return a name as it is stored: composed, and without surrounding blanks."""
    return composed(value).strip(BLANKS)


def alike(value: str) -> str:
    """Return the same text for all names that people take for the same: it ignores case, width and
    styles."""
    return " ".join(unicodedata.normalize("NFKC", value[:LONGEST_LINE]).casefold().split())


def title(value: str) -> str:
    """Normalize and check a title like the field type `Title`, without a length limit; raises
    ValueError."""
    return _title(tidied(value))


def _key(value: str) -> str:
    match = KEY_REFUSED.search(_without_invisible(_one_line(value)))
    if match:
        raise ValueError(
            f"contains {match.group()!r}; use letters, digits and signs like - _ . : but no "
            "blanks, quotes or any of / \\ % & < > ? #"
        )
    if value in {".", ".."}:
        raise ValueError("can't be a dot or two, which are folders in a URL")
    return value


def _without_colon(value: str) -> str:
    if ":" in value:
        raise ValueError("contains ':', which separates slug and key; use - instead")
    return value


def refuse_unprintable_inside(value: Any) -> Any:
    """Like `refuse_unprintable`, for every text in a JSON value; also refuses NaN and Infinity."""
    pending = [(value, 0)]
    while pending:
        inner_value, depth = pending.pop()
        if depth > DEEPEST_JSON:
            raise ValueError(f"is nested more than {DEEPEST_JSON} deep; flatten it")
        if isinstance(inner_value, str):
            refuse_unprintable(inner_value)
        elif isinstance(inner_value, dict):
            pending.extend((inner, depth + 1) for pair in inner_value.items() for inner in pair)
        elif isinstance(inner_value, list):
            pending.extend((inner, depth + 1) for inner in inner_value)
        elif isinstance(inner_value, float) and not math.isfinite(inner_value):
            raise ValueError("contains NaN or Infinity, which is not JSON; send a number or null")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range; use a year from 2 to 9998") from error


def _empty_is_not_given(value: object) -> object:
    return None if value == "" else value


def _pattern(refused: str) -> Any:
    """For the API description, in which the validators' searches don't appear."""
    return Field(json_schema_extra={"pattern": f"^[^{refused}]*$"})


def _or_not_given(refused: str) -> WithJsonSchema:
    """A label for which null and the empty text mean not given, in the API description."""
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
    BeforeValidator(_tidy),
]
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_LABEL),
    _pattern(_NO_KEY),
    AfterValidator(_key),
    BeforeValidator(_tidy),
]
# One line, unchanged: a token, or a value that is hashed.
RawLine = Annotated[
    str,
    StringConstraints(max_length=LONGEST_LINE),
    _pattern(_NO_LINE),
    AfterValidator(_one_line),
]
# A term to look up: a name or a part of it.
Line = Annotated[RawLine, BeforeValidator(_composed)]
# Prefect has no workspaces: a flow of another workspace is called `slug:key`.
Slug = Annotated[Label, AfterValidator(_without_colon)]
# Names for people. They may be empty: a prompt needs no name beside its key.
Name = Annotated[
    str,
    StringConstraints(max_length=LONGEST_NAME),
    _pattern(_NO_LINE),
    AfterValidator(_title),
    BeforeValidator(_tidy),
]
Title = Annotated[
    str,
    StringConstraints(max_length=LONGEST_LINE),
    _pattern(_NO_LINE),
    AfterValidator(_title),
    BeforeValidator(_tidy),
]
RequiredName = Annotated[Name, AfterValidator(_not_blank)]
Content = Annotated[
    str,
    StringConstraints(max_length=LONGEST_CONTENT),
    _pattern(_NO_CONTENT),
    AfterValidator(refuse_unprintable),
]
# A description for people.
Prose = Annotated[
    str,
    StringConstraints(max_length=LONGEST_CONTENT),
    _pattern(_NO_CONTENT),
    AfterValidator(refuse_unprintable),
    AfterValidator(composed),
]
# A search term: a part of a text, which may have several lines.
SearchTerm = Annotated[
    str,
    StringConstraints(max_length=LONGEST_LINE),
    AfterValidator(refuse_unprintable),
    BeforeValidator(_composed),
]
JsonObject = Annotated[dict[str, Any], AfterValidator(refuse_unprintable_inside)]
Json = Annotated[Any, AfterValidator(refuse_unprintable_inside)]

# Existing clients treat an empty text as "not given" in these places.
OptionalLabel = Annotated[
    Label | None, BeforeValidator(_empty_is_not_given), _or_not_given(_NO_KEY)
]
OptionalSlug = Annotated[
    Slug | None, BeforeValidator(_empty_is_not_given), _or_not_given(_NO_KEY + ":")
]
# With a zone: a time without one means a different instant on every machine.
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
OptionalTime = Annotated[Time | None, BeforeValidator(_empty_is_not_given)]
OptionalLine = Annotated[Line | None, BeforeValidator(_empty_is_not_given)]
OptionalSearchTerm = Annotated[SearchTerm | None, BeforeValidator(_empty_is_not_given)]
# The id of a numbered row.
Position = Annotated[int, Field(ge=1, le=2**63 - 1)]
OptionalPosition = Annotated[Position | None, BeforeValidator(_empty_is_not_given)]
OptionalName = Annotated[Name | None, BeforeValidator(_empty_is_not_given)]
# Unchanged, because a rollout's variant depends on its bytes.
OptionalSubject = Annotated[
    Annotated[RawLine, StringConstraints(max_length=LONGEST_NAME)] | None,
    BeforeValidator(_empty_is_not_given),
]

# An id in a path. Any id can be looked up; only texts that no database accepts are refused.
ResourceId = Annotated[
    str,
    StringConstraints(max_length=LONGEST_KEY),
    _pattern(_NO_LINE),
    AfterValidator(_one_line),
    BeforeValidator(_composed),
]
