"""The template language of prompts: ``{{ name }}``, rendered to the same bytes as by the server.

 A name is one or more letters (Unicode general category L*), digits (Nd), ``_`` or ``.``; inside
the braces blanks (space, tab, CR, LF) are allowed. ``sdk/conformance/README.md`` has the full
specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from promptops.ecmascript import UnprintableValueError, json_text, number_text
from promptops.errors import MissingVariableError, TemplateValueError

# ``\w`` also matches numbers of the categories Nl and No, which `_is_name` rejects.
_PLACEHOLDER = re.compile(r"\{\{[ \t\r\n]*([\w.]+)[ \t\r\n]*\}\}")


def render_template(
    content: str | None, variables: Mapping[str, Any] | None = None, *, strict: bool = False
) -> str:
    """Insert the variables into the placeholders, in one pass; the result is empty for None.

     A name is looked up as a whole, dots included. A placeholder whose variable is missing or None
    stays in the text; with `strict` it raises MissingVariableError. Texts are inserted as they are,
    booleans as ``true``/``false``, numbers as JavaScript prints them, lists and dicts as compact
    JSON.

    Raises TemplateValueError for a value without a JSON form.
    """
    if content is None:
        return ""
    if not variables and not strict:
        return content
    return Template(content).render(variables, strict)


class Template:
    """A text that is parsed once and rendered often; see `render_template`."""

    __slots__ = ("_names", "_pieces", "_texts_only", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # Literal text and placeholders alternate; literal text is first and last.
        self._pieces: list[str] = []
        self._names: list[str] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            if _is_name(match.group(1)):
                self._pieces += (text[end : match.start()], match.group())
                self._names.append(match.group(1))
                end = match.end()
        self._pieces.append(text[end:])
        self._texts_only = _renderer_of_texts(self._pieces, self._names)

    @property
    def names(self) -> list[str]:
        """Return each name once, in order of first appearance."""
        return list(dict.fromkeys(self._names))

    def render(self, variables: Mapping[str, Any] | None, strict: bool = False) -> str:
        """Raises the errors of `render_template`."""
        # The look-up of a dict has no side effects, unlike that of a defaultdict.
        if variables.__class__ is dict:
            try:
                return self._texts_only(variables)
            except (KeyError, TypeError):
                # A variable is missing, or not a text.
                pass
        return self._render_any(variables or {}, strict)

    def _render_any(self, variables: Mapping[str, Any], strict: bool) -> str:
        pieces, missing = self._pieces.copy(), []
        for index, name in enumerate(self._names):
            value = variables.get(name)
            if value is None:
                missing.append(name)
            else:
                pieces[2 * index + 1] = _value_text(name, value)
        if strict and missing:
            raise MissingVariableError(list(dict.fromkeys(missing)))
        return "".join(pieces)


def _renderer_of_texts(pieces: list[str], names: list[str]) -> Callable[[Any], str]:
    """Return a function that renders if all variables are texts, and fails otherwise.

    ``str.join`` raises TypeError for anything but a text, so no type has to be checked.
    """
    join = "".join
    if not names:
        return lambda _: pieces[0]
    if len(names) == 1:
        before, after, name = pieces[0], pieces[2], names[0]
        return lambda variables: join((before, variables[name], after))
    values_of = itemgetter(*names)

    def render(variables: Any) -> str:
        rendered = pieces.copy()
        rendered[1::2] = values_of(variables)
        return join(rendered)

    return render


def _is_name(word: str) -> bool:
    return word.isascii() or all(
        character.isalpha() or character.isdecimal() or character in "_." for character in word
    )


def _value_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    try:
        return json_text(value)
    except UnprintableValueError as error:
        raise TemplateValueError(name, str(error)) from error
