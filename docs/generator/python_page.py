"""The reference of the Python SDK, from its docstrings and signatures."""

import ast
from collections.abc import Iterator
from pathlib import Path

from markdown import SOURCE_NOTE, fenced, prose

CLASSES = (
    ("client.py", "PromptOpsClient"),
    ("aio/client.py", "AsyncPromptOpsClient"),
    ("prompts.py", "Prompt"),
    ("listeners.py", "Update"),
    ("listeners.py", "Deletion"),
    ("testing.py", "FakePromptOps"),
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def page(root: Path) -> str:
    folder = root / "sdk" / "python" / "promptops"
    parts = [_class(folder / file, name) for file, name in CLASSES]
    return (
        f"{SOURCE_NOTE}# Python SDK: API\n\nThe [guide](../reference/python.md) explains how to use "
        "it.\n\n" + "".join(parts) + _errors(folder / "errors.py")
    )


def _class(path: Path, name: str) -> str:
    (tree,) = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    fields = "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.AnnAssign))
    methods = "".join(_method(node) for node in _public(tree))
    return (
        f"## {name}\n\n{prose(ast.get_docstring(tree))}"
        + (fenced("python", fields) if fields else "")
        + methods
    )


def _public(tree: ast.ClassDef) -> Iterator[Function]:
    for node in tree.body:
        is_shown = isinstance(node, Function) and not node.name.startswith("_")
        if is_shown or (isinstance(node, Function) and node.name == "__init__"):
            yield node


def _method(node: Function) -> str:
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    answer = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"{keyword} {node.name}({ast.unparse(node.args)}){answer}"
    title = "Constructor" if node.name == "__init__" else node.name
    return f"### {title}\n\n{fenced('python', signature)}{prose(ast.get_docstring(node))}"


def _errors(path: Path) -> str:
    classes = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    lines = [
        f"- `{node.name}`: {' '.join((ast.get_docstring(node) or '').split())}\n"
        for node in classes
        if not node.name.startswith("_")
    ]
    return "## Errors\n\n" + "".join(lines)
