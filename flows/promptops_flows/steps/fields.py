"""Typed access to the fields of a definition's JSON; an invalid field raises an error that names
it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_NAME_CHARACTERS = 200
_SHOWN_CHARACTERS = 40
_DURATION = re.compile(r"[ ]*(\d{1,9}(?:\.\d{1,6})?)[ ]*(ms|s|m|h|d)[ ]*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class DefinitionError(ValueError):
    """A definition that can't run; the message names step, field, value and remedy.

    `step` counts from 0 and is None if the list itself is invalid; `field` is the member of the
    step, None if the step itself is invalid.
    """

    def __init__(self, sentence: str, *, step: int | None = None, field: str | None = None) -> None:
        super().__init__(sentence)
        self.step = step
        self.field = field


class Fields:
    """The fields of a step, or of an object inside it; error messages begin with `where`."""

    def __init__(
        self, fields: Mapping[str, object], where: str, step: int, inside: str | None = None
    ) -> None:
        """`inside` is the field of the step that contains this object."""
        self._fields = fields
        self._where = where
        self._step = step
        self._inside = inside
        self._read: set[str] = set()
        self._inners: list[Fields] = []
        self.name = ""

    @classmethod
    def of_step(cls, fields: Mapping[str, object], index: int) -> Fields:
        """Return the fields of a step, with its `name`; `index` counts from 1."""
        step = cls(fields, f"step {index}", index - 1)
        step.name = step.text("name", MAX_NAME_CHARACTERS).strip()
        if step.name:
            step._where = f"step {index} ({shown(step.name)})"
        return step

    def text(self, field: str, limit: int) -> str:
        """Return the field's text; empty if it is missing or null."""
        value = self.value(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error(field, f"is {described(value)}, give a string")
        if len(value) > limit:
            raise self.error(
                field, f"has {len(value):,} characters, at most {limit:,} are allowed, shorten it"
            )
        return value

    def choice(self, field: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return the field's value, one of `choices`; if it is empty or missing, `default` if there
        is one."""
        options = ", ".join(choices)
        value = self.value(field)
        if value in (None, "") and default is not None:
            return default
        if value is None:
            raise self.error(field, f"is missing, use one of {options}")
        if not isinstance(value, str):
            raise self.error(field, f"is {described(value)}, use one of {options}")
        if value not in choices:
            raise self.error(field, f"'{shown(value)}' is unknown, use one of {options}")
        return value

    def objects(self, field: str, limit: int) -> list[Fields]:
        """Return the fields of each object in the list; none if it is missing or null."""
        value = self.value(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(field, f"is {described(value)}, give a list of objects")
        if len(value) > limit:
            raise self.error(field, f"contains {len(value)} objects, at most {limit} are allowed")
        for item in value:
            if not isinstance(item, dict):
                raise self.error(field, f"contains {described(item)}, give a list of objects")
        return [self._inside_of(field, item, f" {at}") for at, item in enumerate(value, 1)]

    def inner(self, field: str) -> Fields | None:
        """Return the fields of the object; None if it is missing or null."""
        value = self.value(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(field, f"is {described(value)}, give an object")
        return self._inside_of(field, value)

    def mapping(self, field: str) -> dict[str, Any]:
        """Return the object unchanged; empty if it is missing or null."""
        value = self.value(field)
        if value is not None and not isinstance(value, dict):
            raise self.error(field, f"is {described(value)}, give an object")
        return dict(value or {})

    def names(self, field: str) -> tuple[str, ...] | None:
        """Return names of steps; None if there is no list."""
        value = self.value(field)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(field, "must be a list of names of steps")
        return tuple(dict.fromkeys(item.strip() for item in value))

    def texts(self, field: str, most: int, limit: int) -> tuple[str, ...]:
        """Return the texts of a list, each of at most `limit` characters; none if it is missing or
        null."""
        value = self.value(field, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(field, f"is {described(value)}, give a list of strings")
        texts = tuple(dict.fromkeys(item.strip() for item in value))
        if len(texts) > most or any(not text or len(text) > limit for text in texts):
            raise self.error(
                field, f"accepts at most {most} names of 1 to {limit} characters, shorten it"
            )
        return texts

    def integer(self, field: str, least: int, most: int, default: int) -> int:
        """Return the field's integer within these limits."""
        value = self.value(field)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(field, f"is {described(value)}, give a number {least} to {most:,}")
        if not least <= value <= most:
            raise self.error(field, f"is {value}, give a number {least} to {most:,}")
        return value

    def flag(self, field: str) -> bool:
        """Return whether the field is true."""
        value = self.value(field)
        if value is not None and not isinstance(value, bool):
            raise self.error(field, f"is {described(value)}, give true or false")
        return bool(value)

    def duration(self, field: str, most: float) -> float | None:
        """Return the field's duration in seconds, at most `most`; None if it is missing or
        empty."""
        value = self.value(field)
        return None if value in (None, "") else self._seconds(field, value, most)

    def durations(self, field: str, count: int, most: float) -> tuple[float, ...]:
        """Return at most `count` durations in seconds, each at most `most`; none if it is
        missing."""
        values = self.value(field, [])
        if not isinstance(values, list) or len(values) > count:
            raise self.error(
                field, f"is {described(values)}, give at most {count} durations such as 30m"
            )
        return tuple(self._seconds(field, value, most) for value in values)

    def _seconds(self, field: str, value: Any, most: float) -> float:
        seconds = read_duration(value)
        if seconds is None:
            raise self.error(
                field, f"is {described(value)}, give a duration such as 500ms, 30s, 2m, 1h or 1d"
            )
        if not 0 < seconds <= most:
            raise self.error(field, f"must be more than 0 and at most {most:g} seconds")
        return seconds

    def value(self, field: str, default: Any = None) -> Any:
        """The field's JSON value; `default` if it is missing or null."""
        self._read.add(field)
        value = self._fields.get(field)
        return default if value is None else value

    def has(self, field: str) -> bool:
        """Whether the field has a value."""
        return self.value(field) is not None

    def unknown(self) -> list[str]:
        """A sentence for each field that wasn't read."""
        own = [
            f"{self._where}: field '{shown(name)}' is unknown and has no effect"
            for name in self._fields
            if name not in self._read
        ]
        return own + [sentence for inner in self._inners for sentence in inner.unknown()]

    def _inside_of(self, field: str, item: Mapping[str, object], place: str = "") -> Fields:
        where = f"{self._where}: {field}{place}"
        inner = Fields(item, where, self._step, self._inside or field)
        self._inners.append(inner)
        return inner

    def error(self, field: str, complaint: str) -> DefinitionError:
        """An error for the field, to raise."""
        sentence = f"{self._where}: {field} {complaint}"
        return DefinitionError(sentence, step=self._step, field=self._inside or field)


def read_duration(value: object) -> float | None:
    """The seconds in a number or in a text such as `2m`; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _SECONDS[match[2]] if match else None


def described(value: object) -> str:
    """The JSON type of the value, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return f"the text '{shown(value)}'"
    return "a list" if isinstance(value, list) else "an object"


def shown(text: str) -> str:
    """The value for a quotation in a message: on one line, printable, shortened."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)
