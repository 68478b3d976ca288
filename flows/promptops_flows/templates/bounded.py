"""Renders templates with a limit on the result: a template that repeats a long variable would
exhaust the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptops_flows.templates.language import render_template
from promptops_flows.templates.references import render_step_template

# This length fits into memory and into messages.
MAX_TEXT_CHARACTERS = 1_048_576


class TextTooLongError(ValueError):
    """The rendered text would exceed the limit; the message is one sentence."""

    def __init__(self, characters: int) -> None:
        super().__init__(
            f"the text would be longer than {characters:,} characters, "
            "shorten the template or its variables"
        )


def render_bounded(template: str, variables: Mapping[str, Any]) -> str:
    """Like `render_template`; raises TextTooLongError before the memory is allocated."""
    return render_template(
        template, BoundedVariables(variables, MAX_TEXT_CHARACTERS, len(template))
    )


def render_step_bounded(template: str, scope: Mapping[str, Any]) -> str:
    """Like `render_step_template`; raises TextTooLongError before the memory is allocated."""
    return render_step_template(
        template, BoundedVariables(scope, MAX_TEXT_CHARACTERS, len(template))
    )


class BoundedVariables(Mapping[str, Any]):
    """Variables that stop the rendering of templates, whose total length is `templates`, when the
    result would exceed `characters`."""

    def __init__(self, variables: Mapping[str, Any], characters: int, templates: int) -> None:
        self._variables = variables
        self._most = characters
        self._left = characters - templates
        self._sizes: dict[str, int] = {}

    def __getitem__(self, name: str) -> Any:
        value = self._variables[name]
        if name not in self._sizes:
            self._sizes[name] = len(
                value if isinstance(value, str) else _text_of_similar_length(value)
            )
        self._left -= self._sizes[name]
        if self._left < 0:
            raise TextTooLongError(self._most)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def _text_of_similar_length(value: Any) -> str:
    """A text about as long as the rendered value."""
    return json.dumps(value, ensure_ascii=False, default=str)
