"""The template language of prompts: ``{{ name }}``, rendered to the same bytes as by the server.

A name is one or more letters (Unicode general category L*), digits (Nd), ``_`` or ``.``; inside the
braces blanks (space, tab, CR, LF) are allowed. ``sdk/conformance/README.md`` has the full text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptops.ecmascript import UnprintableValueError, json_text, number_text
from promptops.errors import TemplateValueError

# ``\w`` takes numbers of the categories Nl and No too, which `_is_name` then refuses.
_PLACEHOLDER = re.compile(r"\{\{[ \t\r\n]*([\w.]+)[ \t\r\n]*\}\}")


def render_template(content: str, variables: Mapping[str, Any] | None = None) -> str:
    """Put the variables into the placeholders, in one pass.

    A name is looked up as a whole, dots included. A placeholder whose variable is missing or None
    stays as it was in the text. Text goes in as it is, booleans as ``true``/``false``, numbers as
    JavaScript prints them, lists and dicts as compact JSON.

    Raises TemplateValueError for a value without a JSON form.
    """
    if not variables:
        return content
    given = variables

    def replacement(placeholder: re.Match[str]) -> str:
        name = placeholder.group(1)
        value = given.get(name)
        if value is None or not _is_name(name):
            return placeholder.group()
        return _value_text(name, value)

    return _PLACEHOLDER.sub(replacement, content)


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
