"""Prints values like ECMAScript's `Number.prototype.toString` and `JSON.stringify`.

The template language prints values like JavaScript, because every language can implement that form
and the Node SDK has it built in.

Source: ECMA-262, "Number::toString" and "JSON.stringify" (well-formed since ES2019).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1
LARGEST_ARRAY_INDEX = 2**32 - 2

_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_CANONICAL_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class UnprintableValueError(TypeError):
    """A value without a JSON form: its type is unknown to JSON, or it contains itself."""


def number_text(value: int | float) -> str:
    """The digits of ``String(value)``: an integer beyond 2^53 is first rounded to a double."""
    if isinstance(value, int):
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return int.__repr__(value)
        try:
            value = float(value)
        except OverflowError:
            return "Infinity" if value > 0 else "-Infinity"
    return _double_text(value)


def _double_text(value: float) -> str:
    if value == 0:
        return "0"
    text = float.__repr__(value)
    if text in {"nan", "inf", "-inf"}:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    if "e" not in text:
        return text.removesuffix(".0")
    return _without_early_exponent(text)


def _without_early_exponent(text: str) -> str:
    """Python switches to an exponent at 1e16 and below 1e-4, ECMAScript at 1e21 and below 1e-6.

    Both print the shortest digits that convert back to the same double.
    """
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.removeprefix("-").replace(".", "")
    point = int(exponent) + 1
    if 0 < point <= 21:
        return sign + digits.ljust(point, "0")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{mantissa}e{int(exponent):+d}"


def json_text(value: Any) -> str:
    """The text that ``JSON.stringify(value)`` returns.

    Accepts None, bool, int, float, str, list, tuple and mappings of them, nested to any depth. NaN,
    the infinities and integers beyond the doubles become ``null``; keys that are array indexes come
    first, in ascending order, like in a JavaScript object.

    Raises UnprintableValueError for anything else, and for a container that contains itself.
    """
    # An explicit stack instead of recursion: the caller's data decides the depth of a value and
    # must not be able to exhaust Python's stack.
    printed: list[str] = []
    entered: list[tuple[int, Iterator[Any]]] = []
    entered_ids: set[int] = set()
    piece = _scalar_or_container(value)
    while True:
        if isinstance(piece, str):
            printed.append(piece)
        elif id(piece) in entered_ids:
            raise UnprintableValueError(f"a {type(piece).__name__} contains itself")
        else:
            entered_ids.add(id(piece))
            entered.append((id(piece), _pieces(piece)))
        while entered and (piece := next(entered[-1][1], None)) is None:
            entered_ids.discard(entered.pop()[0])
        if not entered:
            return "".join(printed)


def _scalar_or_container(value: Any) -> Any:
    """The JSON text of a scalar, or the container itself, whose members are printed later."""
    if isinstance(value, str):
        return _string_text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        text = number_text(value)
        return "null" if text in {"NaN", "Infinity", "-Infinity"} else text
    if isinstance(value, (Mapping, list, tuple)):
        return value
    raise UnprintableValueError(f"a {type(value).__name__} has no JSON form")


def _pieces(container: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    if isinstance(container, Mapping):
        yield "{"
        for position, (key, member) in enumerate(_members(container)):
            yield f"{',' if position else ''}{_string_text(key)}:"
            yield _scalar_or_container(member)
        yield "}"
        return
    yield "["
    for position, item in enumerate(container):
        if position:
            yield ","
        yield _scalar_or_container(item)
    yield "]"


def _members(mapping: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    by_name = {_key_text(key): member for key, member in mapping.items()}
    indexes = sorted(int(key) for key in by_name if _is_array_index(key))
    if not indexes:
        return list(by_name.items())
    first = {str(index): by_name[str(index)] for index in indexes}
    return list((first | by_name).items())


def _is_array_index(key: str) -> bool:
    return bool(_CANONICAL_INDEX.fullmatch(key)) and int(key) <= LARGEST_ARRAY_INDEX


def _key_text(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, (int, float)):
        return number_text(key)
    raise UnprintableValueError(f"a {type(key).__name__} can't be a key in JSON")


def _string_text(text: str) -> str:
    return _SURROGATES.sub(_well_formed, json.dumps(text, ensure_ascii=False))


def _well_formed(surrogates: re.Match[str]) -> str:
    matched = surrogates.group()
    if len(matched) == 2:
        return matched.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    return f"\\u{ord(matched):04x}"
