"""The portable template language of prompts: ``{{ name }}``.

The server and every SDK render it to the same bytes; ``sdk/conformance`` has the test cases.

A name is one or more of: a letter (Unicode general category Lu, Ll, Lt, Lm or Lo), a digit (Nd),
``_`` and ``.``. In other words ``[\\p{L}\\p{Nd}_.]+`` over code points. Combining marks (M*) and
other numbers (Nl and No: ``Ⅷ``, ``²``) are not part of a name. Which code points are assigned
follows the Unicode version of the runtime.

The braces may contain optional whitespace: space, tab, CR and LF, nothing else. Placeholders are
matched from left to right and don't overlap, so ``{{{a}}}`` is ``{{a}}`` between two braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from promptops_flows.templates.ecmascript import UnprintableValueError, json_text, number_text

# ``\w`` is wider than a name (it includes Nl and No), which `is_name` narrows. This pattern
# backtracks at most its own length on any input: the runs of whitespace and of name characters are
# disjoint, and neither can contain the ``{`` where another match attempt begins.
_PLACEHOLDER = re.compile(r"\{\{[ \t\r\n]*([\w.]+)[ \t\r\n]*\}\}")


class TemplateValueError(TypeError):
    """A variable's value has no JSON form, such as a set or an open file."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"variable {name!r} can't be rendered: {reason}; "
            "pass text, a number, true or false, or lists and objects of them"
        )
        self.name = name


def render_template(template: str, variables: Mapping[str, Any]) -> str:
    """Replace the template's placeholders by the variables, in one pass.

    A name is looked up as a whole, dots included. A placeholder whose variable is missing or None
    is left unchanged. Text is inserted unchanged, booleans as ``true``/``false``, numbers as
    ECMAScript prints them, lists and objects as compact JSON.

    The time is proportional to template and output. Raises TemplateValueError for a value without a
    JSON form; values that were parsed from JSON always have one.
    """
    return fill(template, _PLACEHOLDER, lambda n: variables.get(n) if is_name(n) else None)


def fill(template: str, placeholder: re.Pattern[str], value_of: Callable[[str], Any]) -> str:
    """The template with each placeholder, whose name is the first group, replaced by its value."""

    def replacement(match: re.Match[str]) -> str:
        value = value_of(match.group(1))
        return match.group() if value is None else _value_text(match.group(1), value)

    return placeholder.sub(replacement, template)


def variables_in(template: str) -> list[str]:
    """The names of the template's placeholders, each once, in order of first appearance."""
    return [name for name in dict.fromkeys(_PLACEHOLDER.findall(template)) if is_name(name)]


def is_name(word: str) -> bool:
    """Whether the word, which consists of dots and `\\w` characters, is a name."""
    return word.isascii() or all(
        character.isalpha() or character.isdecimal() or character in "_." for character in word
    )


def value_text(value: Any) -> str:
    """The text that a placeholder with this JSON value becomes."""
    return _value_text("", value)


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
