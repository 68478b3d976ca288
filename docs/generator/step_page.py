"""The reference of step kinds: their fields as the sources read them, and the sentences of
docs/workflows.md."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from markdown import SOURCE_NOTE, code

from promptops_flows.steps.policy import StepPolicy
from promptops_flows.steps.registry import ACTIONS, STEP_TYPES

SECTION = re.compile(r"^### (.*?)\n\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)(#?)")
EVERY_STEP = ("name", "needs")


def page(root: Path) -> str:
    sections = dict(SECTION.findall((root / "docs" / "workflows.md").read_text(encoding="utf-8")))
    return (
        f"{SOURCE_NOTE}# Kinds of steps\n\n[Workflows](../workflows.md) explains order, templates and "
        "the answer of a run.\n\n"
        f"Every step has a `type`, and may have {_listed(EVERY_STEP)}. Except for an approval, it may also have "
        f"{_listed(read_fields(StepPolicy))}: see "
        "[retries, time-outs, cache](../workflows.md#retries-time-outs-cache).\n\n"
        + "".join(_kind(name, sections) for name in STEP_TYPES)
    )


def _kind(name: str, sections: dict[str, str]) -> str:
    fields = f"Fields: {_listed(read_fields(ACTIONS[name]))}\n\n"
    text = next(text for heading, text in sections.items() if f"`{name}`" in heading)
    return f"## {name}\n\n{fields}{LINK.sub(_moved, text)}\n"


def _moved(match: re.Match[str]) -> str:
    """A link of docs/workflows.md, on this page."""
    return f"](../{'workflows.md' if match[1] else ''}{match[1]}"


def read_fields(reader: type) -> list[str]:
    """The names that a class reads from a definition."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.getmodule(reader) or reader)))
    return list(dict.fromkeys(_names(tree)))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="fields")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(code, names))
