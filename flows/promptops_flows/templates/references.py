"""Templates of workflow steps: `{{name}}` as in prompts, and `{{steps.NAME.output}}` with a path.

A reference consists of `steps`, the step's name, `output`, and optionally a path into a structured
output, as in `steps.call.output.items[0].name`. A name that isn't a word is written in brackets:
`steps["the call"].output`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from promptops_flows.templates.language import fill, is_name

# No run of characters can be split in two ways, so that matching takes linear time.
_PLACEHOLDER = re.compile(
    r"\{\{[ \t\r\n]*"
    r"(\w+(?:\.[\w-]+|\[\d+\]|\[\"[^\"{}\r\n]*\"\])+|[\w.]+)"
    r"[ \t\r\n]*\}\}"
)
_PART = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")
_ROOT = "steps"
_ROOT_NAME = re.compile(r"\w+")
_BEGINNINGS = (f"{_ROOT}.", f"{_ROOT}[")


class MissingOutputError(ValueError):
    """The step has no such output, or the path doesn't exist in it; the message is one sentence."""


class Reference(NamedTuple):
    """An output of a step; `path` leads into a structured output."""

    step: str
    path: tuple[str | int, ...] = ()


def render_step_template(template: str, scope: Mapping[str, Any]) -> str:
    """Like `render_template`, with references; also raises `MissingOutputError`."""
    return fill(template, _PLACEHOLDER, lambda n: scope.get(n) if _is_readable(n) else None)


def names_in(template: str) -> list[str]:
    """The names of the template's placeholders, each once, in order of first appearance."""
    return [name for name in dict.fromkeys(_PLACEHOLDER.findall(template)) if _is_readable(name)]


def only_name(template: str) -> str | None:
    """The name of the placeholder if the whole template is one placeholder."""
    match = _PLACEHOLDER.fullmatch(template.strip())
    return match[1] if match and _is_readable(match[1]) else None


def fill_names(template: str, text_of: Callable[[str], str | None]) -> str:
    """The template with placeholders replaced by their texts; those without a text are left
    unchanged."""
    return fill(template, _PLACEHOLDER, lambda n: text_of(n) if _is_readable(n) else None)


def _is_readable(name: str) -> bool:
    return is_name(name) or "[" in name or "-" in name


def reference_in(name: str) -> Reference | None:
    """The reference that the name stands for; None for the name of a variable. Raises
    `MissingOutputError` for a reference without `output`."""
    if not name.startswith(_BEGINNINGS):
        return None
    parts = list(_parts(name, len(_ROOT)))
    if len(parts) < 2 or parts[1] != "output":
        raise MissingOutputError(f"'{name}' doesn't refer to an output; write steps.NAME.output")
    return Reference(str(parts[0]), tuple(parts[2:]))


def _parts(name: str, at: int) -> Iterator[str | int]:
    while at < len(name):
        part = _PART.match(name, at)
        if part is None:
            raise MissingOutputError(
                f"'{name}' can't be read; write steps.NAME.output.field[0], or "
                'steps["the name"].output'
            )
        word, number, quoted = part.groups()
        yield int(number) if number else (word if word is not None else quoted)
        at = part.end()


@dataclass(frozen=True, slots=True)
class Scope(Mapping[str, Any]):
    """What the templates of one step may read: the run's variables, `input`, and outputs of steps.
    `value` is the JSON of a structured input. `own` are variables of the step, such as the item of
    a map, whose members can be read."""

    variables: Mapping[str, Any]
    input: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    own: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if self.own and (root := _ROOT_NAME.match(name)) and root[0] in self.own:
            return _walk(self.own[root[0]], _parts(name, root.end()), name)
        if (value := self.variables.get(name)) is not None and is_name(name):
            return value
        if name == "input":
            return self.input
        reference = reference_in(name)
        if reference is None:
            raise KeyError(name)
        return self.output(reference, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def with_value(self, value: Any) -> Scope:
        """The same scope with this JSON as its input."""
        return replace(self, value=value)

    def output(self, reference: Reference, name: str) -> Any:
        """The referenced value; raises `MissingOutputError`."""
        if reference.step not in self.outputs:
            raise MissingOutputError(f"'{name}' reads a step that did not run before this one")
        return _walk(self.outputs[reference.step], reference.path, name)


def _walk(value: Any, path: Iterable[str | int], name: str) -> Any:
    """The value at that path; null becomes an empty text."""
    for part in path:
        value = _member(value, part, name)
    return "" if value is None else value


def _member(value: Any, part: str | int, name: str) -> Any:
    if isinstance(part, int):
        if isinstance(value, list) and part < len(value):
            return value[part]
    elif isinstance(value, Mapping) and part in value:
        return value[part]
    raise MissingOutputError(f"'{name}' doesn't exist: there is no {part!r}")
