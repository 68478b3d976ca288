"""Expressions that steps evaluate: Jinja, JMESPath and regular expressions.

`check_*` parses an expression without evaluating anything, and is safe to call anywhere. `evaluate`
may use unlimited time and memory: it is called in a process that can be killed
(`expression_worker`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import re2

from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS

MAX_EXPRESSION_CHARACTERS = 65_536
MAX_PATTERN_CHARACTERS = 1_000
_SHOWN_CHARACTERS = 200


class ExpressionError(ValueError):
    """An expression that can't be parsed or evaluated; the message is one sentence without the
    data."""


def check_jinja(text: str) -> None:
    """Raises `ExpressionError`."""
    # Only parsed: compiling would fold constants, which may become huge.
    _parsed(text)


def check_condition(text: str) -> None:
    """Raises `ExpressionError`."""
    _parsed("{{ (" + bare_condition(text) + ") }}")


def bare_condition(text: str) -> str:
    """The condition without surrounding braces, which are optional."""
    stripped = text.strip()
    if stripped.startswith("{{") and stripped.endswith("}}"):
        return stripped[2:-2].strip()
    return stripped


def check_jmespath(text: str) -> None:
    """Raises `ExpressionError`."""
    _compiled_path(text)


def check_regex(pattern: str) -> None:
    """Raises `ExpressionError`."""
    _compiled_pattern(pattern)


def evaluate(kind: str, expression: str, data: Mapping[str, Any]) -> Any:
    """The value of the expression, text or JSON; raises `ExpressionError`. `data` contains `input`,
    `value`, `variables` and `steps`."""
    return _EVALUATIONS[kind](expression, data)


def _jinja(expression: str, data: Mapping[str, Any]) -> str:
    parts, length = [], 0
    for part in _environment().from_string(expression).generate(**_names(data)):
        length += len(part)
        if length > MAX_TEXT_CHARACTERS:
            raise ExpressionError(
                f"the text would be longer than {MAX_TEXT_CHARACTERS:,} characters"
            )
        parts.append(part)
    return "".join(parts)


def _condition(expression: str, data: Mapping[str, Any]) -> bool:
    text = "{% if (" + bare_condition(expression) + ") %}1{% endif %}"
    return _jinja(text, data) == "1"


def _names(data: Mapping[str, Any]) -> dict[str, Any]:
    steps = {name: {"output": output} for name, output in data["steps"].items()}
    own = {"input": data["input"], "value": data["value"], "steps": steps}
    return {**own, **data["variables"]}


def _jmespath(expression: str, data: Mapping[str, Any]) -> Any:
    return _compiled_path(expression).search(data["value"])


def _regex(pattern: str, data: Mapping[str, Any]) -> Any:
    """From the first match: the named groups, the only group, the list of groups, or the whole
    match; an empty text without a match."""
    match = _compiled_pattern(pattern).search(data["input"])
    if match is None:
        return ""
    if match.groupdict():
        return match.groupdict()
    groups = list(match.groups())
    return match.group() if not groups else groups[0] if len(groups) == 1 else groups


_EVALUATIONS: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
    "jinja": _jinja,
    "condition": _condition,
    "jmespath": _jmespath,
    "regex": _regex,
}


@lru_cache(maxsize=1)
def _environment() -> Any:
    # Imported on first use: the platform checks few expressions, and should use little memory.
    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def _parsed(text: str) -> None:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415

    try:
        _environment().parse(text)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"is not valid Jinja ({_shown(error.message or '')})") from error
    except ValueError as error:
        # A number with more digits than Python converts.
        raise ExpressionError(f"is not valid Jinja ({_shown(str(error))})") from error
    except RecursionError as error:
        raise ExpressionError("is nested too deeply") from error


def _compiled_path(text: str) -> Any:
    import jmespath  # noqa: PLC0415
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415

    try:
        return jmespath.compile(text)
    except (JMESPathError, ValueError) as error:
        raise ExpressionError(f"is not valid JMESPath ({_shown(str(error))})") from error
    except RecursionError as error:
        raise ExpressionError("is nested too deeply") from error


def _compiled_pattern(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = 8 << 20
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ExpressionError(f"is not a regular expression of RE2 ({_shown(text)})") from error


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"
