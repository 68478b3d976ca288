"""Reads calls of OpenAI's API in Python source: their literal texts, with f-strings as templates.

The source is parsed, never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptops_platform.imports.contents import SourceError

CALLS = ("responses.create", "responses.parse", "completions.create", "completions.parse")
FIELDS = ("prompt", "instructions", "input", "messages")


class _NotLiteralError(Exception):
    """The text is computed while the program runs; `line` is where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def read(path: Path, text: str, remarks: list[str]) -> list[dict[str, Any]]:
    """Return the arguments of each call, named after the enclosing function. What can't be read
    gets a remark with its line. Raises SourceError for a file that is not Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise SourceError(f"{path} is neither JSON nor Python: {error}") from error
    constants = _constants(tree)
    items: list[dict[str, Any]] = []
    names: dict[str, int] = {}
    for call, function in _calls(tree, path.stem):
        arguments = {word.arg: word.value for word in call.keywords if word.arg}
        item: dict[str, Any] = {}
        try:
            for name, node in arguments.items():
                if name in FIELDS:
                    item[name] = _value(node, constants)
        except _NotLiteralError as error:
            remarks.append(f"{path}, line {error.line}: the text is made by the program; copy it")
            continue
        for name, node in arguments.items():
            if name not in FIELDS:
                item |= _optional(name, node, constants)
        number = names[function] = names.get(function, 0) + 1
        item["name"] = function if number == 1 else f"{function}-{number}"
        items.append(item)
    return items


def _calls(node: ast.AST, name: str) -> Iterator[tuple[ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.Call) and ast.unparse(child.func).endswith(CALLS):
            yield child, name
        yield from _calls(child, child.name if is_function else name)  # type: ignore[attr-defined]


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return names at the top of the file that are assigned once."""
    values: dict[str, ast.expr] = {}
    repeated: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    repeated |= {target.id} & values.keys()
                    values[target.id] = statement.value
    return {name: node for name, node in values.items() if name not in repeated}


def _optional(name: str, node: ast.expr, constants: dict[str, ast.expr]) -> dict[str, Any]:
    """Leave out a parameter that the program computes."""
    try:
        return {name: _value(node, constants)}
    except _NotLiteralError:
        return {}


def _value(node: ast.expr, constants: dict[str, ast.expr]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _named_value(name, constants)
        case ast.Dict(keys=keys, values=values) if all(
            isinstance(key, ast.Constant) for key in keys
        ):
            pairs = zip(keys, values, strict=True)
            return {ast.literal_eval(key): _value(value, constants) for key, value in pairs if key}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, constants) for item in items]
    return _text(node, constants)


def _named_value(name: str, constants: dict[str, ast.expr]) -> Any:
    if name not in constants:
        return "{{" + name + "}}"
    # Without itself: a name that refers to itself has no value.
    rest = {other: value for other, value in constants.items() if other != name}
    return _value(constants[name], rest)


def _text(node: ast.expr, constants: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(part, constants) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        texts = (_value(node.left, constants), _value(node.right, constants))
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise _NotLiteralError(node.lineno)


def _part(node: ast.expr, constants: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue) and node.format_spec is None and node.conversion == -1:
        if isinstance(node.value, ast.Name) and node.value.id in constants:
            return str(_value(node.value, constants))
        dotted = ast.unparse(node.value)
        if all(part.isidentifier() for part in dotted.split(".")):
            return "{{" + dotted + "}}"
    raise _NotLiteralError(node.lineno)
